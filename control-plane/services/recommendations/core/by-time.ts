import { interactionsOf, type Entries, type Interactions } from './interactions.ts';

/** Who met what and when; no pair of user and item twice. */
export interface TimedEntries extends Entries {
  /** Unix seconds. */
  readonly timeOf: Uint32Array;
  readonly users: number;
  readonly items: number;
}

/** Entries before and after a moment: what a model is trained with, and what it is to foretell. */
export interface TimeSplit {
  /** The first that is to be foretold, Unix seconds. */
  readonly cutS: number;
  readonly known: Interactions;
  readonly hidden: Interactions;
}

const hiddenShare = 0.1;
const hiddenS = 3 * 86_400;
const hiddenMin = 500;

/**
 * Splits by one moment for all, as a model meets the world: the last tenth is hidden, but no more than three days where these have
 * enough. A user whom nothing is known of before is not judged.
 */
export function splitByTime(entries: TimedEntries): TimeSplit {
  const { timeOf, users, items } = entries;
  const sorted = timeOf.slice().sort();
  const tenth = sorted[Math.floor(sorted.length * (1 - hiddenShare))] ?? 0;
  const enough = sorted[Math.max(0, sorted.length - hiddenMin)] ?? 0;
  const cutS = Math.max(tenth, Math.min((sorted.at(-1) ?? 0) - hiddenS, enough));
  const knows = new Uint8Array(users);
  for (let at = 0; at < timeOf.length; at++) if (timeOf[at]! < cutS) knows[entries.userOf[at]!] = 1;
  const known = part(entries, (at) => timeOf[at]! < cutS);
  const hidden = part(entries, (at) => timeOf[at]! >= cutS && knows[entries.userOf[at]!] === 1);
  return {
    cutS,
    known: interactionsOf(known, { users, items }),
    hidden: interactionsOf(hidden, { users, items }),
  };
}

/** Some of the rows of a matrix; the others are empty. */
export function rowsWhere(matrix: Interactions, isKept: (user: number) => boolean): Interactions {
  const { users, items, offsets } = matrix;
  const kept = new Uint32Array(users + 1);
  for (let user = 0; user < users; user++)
    kept[user + 1] = kept[user]! + (isKept(user) ? offsets[user + 1]! - offsets[user]! : 0);
  const itemOf = new Uint32Array(kept[users]!);
  const weights = new Float32Array(kept[users]!);
  for (let user = 0; user < users; user++) {
    if (kept[user] === kept[user + 1]) continue;
    itemOf.set(matrix.itemOf.subarray(offsets[user], offsets[user + 1]), kept[user]);
    weights.set(matrix.weights.subarray(offsets[user], offsets[user + 1]), kept[user]);
  }
  return { users, items, offsets: kept, itemOf, weights };
}

function part({ userOf, itemOf, weightOf }: TimedEntries, isIn: (at: number) => boolean): Entries {
  let count = 0;
  for (let at = 0; at < userOf.length; at++) if (isIn(at)) count++;
  const some = {
    userOf: new Uint32Array(count),
    itemOf: new Uint32Array(count),
    weightOf: new Float32Array(count),
  };
  let next = 0;
  for (let at = 0; at < userOf.length; at++) {
    if (!isIn(at)) continue;
    some.userOf[next] = userOf[at]!;
    some.itemOf[next] = itemOf[at]!;
    some.weightOf[next++] = weightOf[at]!;
  }
  return some;
}

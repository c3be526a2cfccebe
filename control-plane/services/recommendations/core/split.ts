/** Entries (numbers from 0) of the parts that a protocol makes. */
export interface Split {
  readonly train: Uint32Array;
  /** What choices are made on: never part of what is judged. */
  readonly validation: Uint32Array;
  readonly test: Uint32Array;
  /** Whether the model that is judged is trained on the validation too, once everything is chosen. */
  readonly trainsOnBoth: boolean;
}

export const protocols = ['recbole', 'stratified'] as const;
export type Protocol = (typeof protocols)[number];

/**
 * Splits each user's entries at random.
 *
 * `recbole`: 80, 10 and 10 %, counted as RecBole does (`RS [0.8, 0.1, 0.1]`, grouped by user, random order): parts but the first are
 * rounded down, to one at least where the first can spare it; the model knows the first part alone. `stratified`: 75 % and 25 % as Microsoft's recommenders do
 * (`python_stratified_split`): the first part is rounded down; the validation is a tenth of the first part, counted in the same way.
 *
 * @param userOf the user of each entry, ascending
 * @param fraction chance: a number in [0, 1)
 */
export function splitEntries(userOf: Uint32Array, protocol: Protocol, fraction: () => number): Split {
  const parts = { train: [] as number[], validation: [] as number[], test: [] as number[] };
  for (let from = 0, to; from < userOf.length; from = to) {
    to = from + 1;
    while (to < userOf.length && userOf[to] === userOf[from]) to++;
    const entries = shuffled(from, to, fraction);
    const [train, validation] = protocol === 'recbole' ? tenths(entries.length) : quarters(entries.length);
    for (const [place, entry] of entries.entries()) {
      const part = place < train ? 'train' : place < train + validation ? 'validation' : 'test';
      parts[part].push(entry);
    }
  }
  return {
    train: Uint32Array.from(parts.train),
    validation: Uint32Array.from(parts.validation),
    test: Uint32Array.from(parts.test),
    trainsOnBoth: protocol === 'stratified',
  };
}

/** How many of a user's entries train and validate; the rest is the test. */
function tenths(count: number): [train: number, validation: number] {
  // Fewer than ten: one for the test, then one for the validation, as long as one is left to train.
  if (count < 10) return [Math.max(1, count - 2), count > 2 ? 1 : 0];
  const tenth = Math.floor(0.1 * count);
  return [count - 2 * tenth, tenth];
}

function quarters(count: number): [train: number, validation: number] {
  const first = Math.floor(0.75 * count);
  const validation = first > 1 ? Math.max(1, Math.floor(0.1 * first)) : 0;
  return [first - validation, validation];
}

/** The numbers from `from` up to `to`, in random order (Fisher and Yates). */
function shuffled(from: number, to: number, fraction: () => number): Uint32Array {
  const entries = Uint32Array.from({ length: to - from }, (_, at) => from + at);
  for (let at = entries.length - 1; at > 0; at--) {
    const other = Math.floor(fraction() * (at + 1));
    [entries[at], entries[other]] = [entries[other]!, entries[at]!];
  }
  return entries;
}

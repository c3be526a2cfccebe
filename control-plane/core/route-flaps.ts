import { walkRows, type RouteTable } from '../../common/core/route-table.ts';
import { prefixAt } from './route-rows.ts';

const halfMs = 30 * 60_000;
/** Of one change no more prefixes are looked at: where a whole session went, some of them say so. */
const prefixesMax = 1000;
const keptMax = 5000;
/** A prefix that changed so often within the hour flaps. */
const flapsMin = 4;

interface Half {
  readonly startMs: number;
  tables: number;
  readonly prefixes: Map<string, number>;
}

/** What is remembered, as it is stored: the half hour that goes on and the one before it. */
export type StoredFlaps = { startMs: number; tables: number; prefixes: Record<string, number> }[];

/** Remembers for half an hour to an hour how often a box told another table, and which prefixes were other ones in it. */
export class FlapBook {
  #halves: readonly [Half, Half] = [halfFrom(-Infinity), halfFrom(-Infinity)];

  /** One that goes on with what another has stored; times are of the wall clock. */
  static from(stored: StoredFlaps): FlapBook {
    const book = new FlapBook();
    const [half, before] = stored.map(({ startMs, tables, prefixes }) => ({
      ...{ startMs, tables },
      prefixes: new Map(Object.entries(prefixes)),
    }));
    book.#halves = [half ?? halfFrom(-Infinity), before ?? halfFrom(-Infinity)];
    return book;
  }

  /** What `from` goes on with. */
  stored(): StoredFlaps {
    const begun = this.#halves.filter(({ startMs }) => Number.isFinite(startMs));
    return begun.map(({ startMs, tables, prefixes }) => ({
      ...{ startMs, tables },
      prefixes: Object.fromEntries(prefixes),
    }));
  }

  /** Takes a change of the table: the prefixes that `changedPrefixes` finds. */
  note(changed: readonly string[], nowMs: number): void {
    const half = this.#at(nowMs)[0];
    half.tables++;
    for (const prefix of changed) {
      const count = half.prefixes.get(prefix);
      if (count !== undefined || half.prefixes.size < keptMax) half.prefixes.set(prefix, (count ?? 0) + 1);
    }
  }

  /** How many tables were told within the hour. */
  tables(nowMs: number): number {
    return this.#at(nowMs).reduce((sum, { tables }) => sum + tables, 0);
  }

  /** Prefixes that flap, those first that changed most often. */
  flapping(nowMs: number): { readonly prefix: string; readonly changes: number }[] {
    const [half, before] = this.#at(nowMs);
    const names = new Set([...half.prefixes.keys(), ...before.prefixes.keys()]);
    return [...names]
      .map((prefix) => ({
        prefix,
        changes: (half.prefixes.get(prefix) ?? 0) + (before.prefixes.get(prefix) ?? 0),
      }))
      .filter(({ changes }) => changes >= flapsMin)
      .sort((a, b) => b.changes - a.changes || (a.prefix < b.prefix ? -1 : 1));
  }

  #at(nowMs: number): readonly [Half, Half] {
    const [half, before] = this.#halves;
    const ageMs = nowMs - half.startMs;
    if (ageMs >= halfMs) this.#halves = [halfFrom(nowMs), ageMs >= 2 * halfMs ? halfFrom(-Infinity) : half];
    else this.#halves = [half, before];
    return this.#halves;
  }
}

function halfFrom(startMs: number): Half {
  return { startMs, tables: 0, prefixes: new Map() };
}

/** Prefixes that came, went or have other keys; the first of them. */
export function changedPrefixes(from: RouteTable, to: RouteTable): string[] {
  const changed: string[] = [];
  for (const family of [4, 6] as const) {
    const [a, b] = [from[family], to[family]];
    walkRows(a, b, (left, right) => {
      if (left < 0) changed.push(prefixAt(b, right));
      else if (right < 0 || a.keys[left] !== b.keys[right]) changed.push(prefixAt(a, left));
      return changed.length < prefixesMax;
    });
  }
  return changed;
}

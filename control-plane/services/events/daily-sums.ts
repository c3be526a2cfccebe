import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { RecordOperation } from '../../../common/adapters/records/port.ts';
import type { Clock } from '../../../common/runtime/clock.ts';

export interface DailySumsOptions<T extends object> {
  readonly sums: Collection<T>;
  readonly none: T;
  readonly add: (one: T, other: T) => T;
  readonly clock: Clock;
}

// Days are UTC's.
const dayMs = 86_400_000;
const daysKept = 400;
const prunedAtOnce = 1000;

/** What some events add to sums. */
interface SumsBatch<T> {
  add(of: { timeMs: number; by: string; name: string }, sums: T): void;
  /** What puts all that was added into the records; what is too old goes with it, once a day and some at a time. */
  operations(): Promise<RecordOperation[]>;
}

/** Sums by day, by what they are told apart by, and by name: kept for four hundred days. */
export class DailySums<T extends object> {
  readonly #options: DailySumsOptions<T>;
  #prunedDay = 0;

  constructor(options: DailySumsOptions<T>) {
    this.#options = options;
  }

  /** Begins to add. */
  batch(): SumsBatch<T> {
    const { sums, none, add } = this.#options;
    const added = new Map<string, T>();
    return {
      add({ timeMs, by, name }, more) {
        const key = keyOf(Math.floor(timeMs / dayMs), by, name);
        added.set(key, add(added.get(key) ?? none, more));
      },
      operations: async () => {
        const operations: RecordOperation[] = [];
        for (const [key, more] of added) {
          const before = (await sums.get(key))?.value ?? none;
          operations.push(sums.putOperation(key, add(before, more)));
        }
        return operations.length === 0 ? [] : [...operations, ...(await this.#prune())];
      },
    };
  }

  /** The sums of the last days, today included, by name. */
  async of(by: string, days: number): Promise<{ sinceMs: number; untilMs: number; byName: Map<string, T> }> {
    const { sums, none, add, clock } = this.#options;
    const untilMs = clock.nowMs();
    const today = Math.floor(untilMs / dayMs);
    const byName = new Map<string, T>();
    for (let day = today - days + 1; day <= today; day++) {
      const prefix = keyOf(day, by, '');
      for await (const { key, value } of sums.all(prefix)) {
        const name = key.slice(prefix.length);
        byName.set(name, add(byName.get(name) ?? none, value));
      }
    }
    return { sinceMs: (today - days + 1) * dayMs, untilMs, byName };
  }

  async #prune(): Promise<RecordOperation[]> {
    const { sums, clock } = this.#options;
    const today = Math.floor(clock.nowMs() / dayMs);
    if (today === this.#prunedDay) return [];
    const oldest = keyOf(today - daysKept, '', '');
    const old = (await sums.scan({ limit: prunedAtOnce })).filter(({ key }) => key < oldest);
    if (old.length === 0) this.#prunedDay = today;
    return old.map(({ key }) => sums.removeOperation(key));
  }
}

/** Sorts as days do. */
function keyOf(day: number, by: string, name: string): string {
  return `${String(day).padStart(8, '0')}/${by}/${name}`;
}

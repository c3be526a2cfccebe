import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { RecordOperation, Records } from '../../../common/adapters/records/port.ts';
import type { EventData } from '../../../common/contract/event-log.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { SavingsReport } from '../../../common/contract/savings.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import {
  addSavings,
  hoursOfDay,
  noSavings,
  savingsOf,
  type SavingsDay,
  type SavingsOfBox,
} from './core/savings.ts';

const Bytes = Type.Number({ minimum: 0 });
const Hours = Type.Array(Bytes, { minItems: hoursOfDay, maxItems: hoursOfDay });
const SavingsRecord = Type.Object({
  ...{ playBytes: Hours, filledBytes: Hours, fillBytes: Bytes, newBytes: Bytes },
  /** Days of before have none. */
  pictureBytes: Type.Optional(Bytes),
  ...{ reports: Type.Integer({ minimum: 0 }), missingReports: Type.Integer({ minimum: 0 }) },
});

const hourMs = 3_600_000;
const dayMs = hoursOfDay * hourMs;

/** What a report is about: a site's boxes in the last days, today included. `heldBytes`: what they hold now. */
export interface SavingsScope {
  readonly site: string;
  readonly days: number;
  readonly heldBytes: number;
}

/** Changes of savings that wait for their commit, by box and day. */
export type SavingsStep = Map<string, SavingsDay>;

/** What boxes have served and fetched, by site, box and day, as their signed reports say. */
export class Savings {
  readonly #days: Collection<Static<typeof SavingsRecord>>;

  constructor(records: Records) {
    this.#days = openCollection(records, 'savings-days', (value) =>
      parseAs(SavingsRecord, value, { what: "a box's savings", code: 'STORE_CORRUPT' }),
    );
  }

  /** Adds a part of a report that counts to a step; an origin's is of no site. `newBytes`: of files that the site had not asked for. */
  add(
    step: SavingsStep,
    { data, timeMs }: { data: EventData<'served-report'>; timeMs: number },
    { newBytes, missingReports }: { newBytes: number; missingReports: number },
  ): void {
    const { site, nodeId, part, files, pictureBytes = [], filledBytes } = data;
    if (site === undefined) return;
    const key = keyOf(site, { day: Math.floor(timeMs / dayMs), nodeId });
    const hour = Math.floor((timeMs % dayMs) / hourMs);
    const at = (bytes: number) => noSavings.playBytes.map((_, index) => (index === hour ? bytes : 0));
    const sum = (which: 1 | 2): number => files.reduce((bytes, file) => bytes + file[which], 0);
    const added: SavingsDay = {
      playBytes: at(sum(1)),
      pictureBytes: pictureBytes.reduce((total, bytes) => total + bytes, 0),
      filledBytes: at(filledBytes),
      ...{ fillBytes: sum(2), newBytes, reports: part === 0 ? 1 : 0, missingReports },
    };
    step.set(key, addSavings(step.get(key) ?? noSavings, added));
  }

  /** What a step changes in the records. */
  async operations(step: SavingsStep): Promise<RecordOperation[]> {
    return Promise.all(
      [...step].map(async ([key, added]) => {
        const before = (await this.#days.get(key))?.value ?? noSavings;
        const { playBytes, filledBytes, ...rest } = addSavings(before, added);
        return this.#days.putOperation(key, {
          ...{ ...rest, playBytes: [...playBytes], filledBytes: [...filledBytes] },
        });
      }),
    );
  }

  /** What a site's boxes have spared until now. */
  async report({ site, days, heldBytes }: SavingsScope, nowMs: number): Promise<SavingsReport> {
    const today = Math.floor(nowMs / dayMs);
    const first = today - days + 1;
    const found: SavingsOfBox[] = [];
    for (let day = first; day <= today; day++) {
      const prefix = keyOf(site, { day, nodeId: '' });
      for await (const { key, value } of this.#days.all(prefix))
        found.push({ id: key.slice(prefix.length), day, sums: value });
    }
    const spared = savingsOf(found, { heldBytes, daysCount: days });
    return { site, sinceMs: first * dayMs, untilMs: nowMs, ...spared };
  }
}

/** Sorts as days do, a site's together. */
function keyOf(site: string, { day, nodeId }: { day: number; nodeId: string }): string {
  return `${site}/${String(day).padStart(8, '0')}/${nodeId}`;
}

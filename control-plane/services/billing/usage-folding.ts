import type { Clock } from '../../../common/runtime/clock.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { Batch } from './batch.ts';
import type { Desk } from './desk.ts';
import { ordered, type BillingRecords, type UsageRecord } from './records.ts';

/** Records of usage that become sums. */
export interface UsageFolding {
  /** Folds records that were told 100 days ago into sums: their ids are forgotten. */
  forget(): Promise<void>;
  /** Forgets what an account has used; what was charged stays as a sum by metric. */
  erase(account: string): Promise<void>;
}

/** For so long a record is known again by its id. */
export const usageKeptMs = 100 * 86_400_000;
const pageLength = 1000;

/** Opens it. */
export function openUsageFolding({
  records,
  desk,
  clock,
}: {
  records: BillingRecords;
  desk: Desk;
  clock: Clock;
}): UsageFolding {
  const { usage, usageTimes, usageSums, metered } = records;
  /** Removes records of their own; what was metered stays as a sum. */
  const fold = async (batch: Batch, rows: readonly { key: string; value: UsageRecord }[]): Promise<void> => {
    const folded = new Map<string, number>();
    for (const { key, value } of rows) {
      const { metric, quantity, toldAtMs, isMetered } = value;
      batch.change(usage.removeOperation(key), usageTimes.removeOperation(`${ordered(toldAtMs)}:${key}`));
      const sum = `${key.slice(0, key.indexOf(':'))}:${metric}`;
      if (isMetered === true) folded.set(sum, (folded.get(sum) ?? 0) + quantity);
    }
    for (const [key, quantity] of folded) {
      const before = (await metered.get(key))?.value;
      assert(before !== undefined, 'what is metered was counted');
      batch.change(metered.putOperation(key, { ...before, folded: before.folded + quantity }));
    }
  };
  /** A page at a time; says whether there may be more. */
  const foldOld = (): Promise<boolean> =>
    desk.book(async (batch) => {
      const page = await usageTimes.scan({ limit: pageLength });
      const old = page.filter(({ key }) => Number(key.slice(0, 16)) < clock.nowMs() - usageKeptMs);
      const rows = await Promise.all(old.map(({ value }) => usage.get(value.id)));
      const stray = old.filter((_, index) => rows[index] === undefined);
      batch.change(...stray.map(({ key }) => usageTimes.removeOperation(key)));
      await fold(
        batch,
        rows.filter((row) => row !== undefined),
      );
      return old.length === pageLength;
    });
  const eraseSome = (prefix: string): Promise<boolean> =>
    desk.book(async (batch) => {
      const rows = await usage.scan({ prefix, limit: pageLength });
      await fold(batch, rows);
      const sums = await usageSums.scan({ prefix, limit: pageLength });
      batch.change(...sums.map(({ key }) => usageSums.removeOperation(key)));
      return rows.length === pageLength || sums.length === pageLength;
    });
  return {
    async forget() {
      while (await foldOld());
    },
    async erase(account) {
      while (await eraseSome(`${account}:`));
    },
  };
}

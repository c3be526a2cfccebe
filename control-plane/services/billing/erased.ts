import { createHash } from 'node:crypto';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Batch } from './batch.ts';
import { ordered, type BillingRecords } from './records.ts';
import { usageKeptMs } from './usage-folding.ts';

/** Accounts that were erased: what comes for them later is not taken. They are known by a hash, which is forgotten when nothing late can come. */
export interface Erased {
  add(batch: Batch, account: string): Promise<void>;
  has(account: string): Promise<boolean>;
  /** Errors: ACCOUNT_UNKNOWN for one of them. */
  refuse(account: string): Promise<void>;
  /** Forgets those of a hundred days ago, a thousand at most. */
  forget(batch: Batch): Promise<void>;
}

const pageLength = 1000;

/** Opens it. */
export function openErased({
  records: { erased, erasedTimes },
  clock,
}: {
  records: BillingRecords;
  clock: Clock;
}): Erased {
  const has = async (account: string): Promise<boolean> => (await erased.get(hashOf(account))) !== undefined;
  return {
    has,
    async add(batch, account) {
      if (await has(account)) return;
      const id = hashOf(account);
      batch.change(
        erased.putOperation(id, { id }),
        erasedTimes.putOperation(`${ordered(clock.nowMs())}:${id}`, { id }),
      );
    },
    async refuse(account) {
      if (await has(account)) throw coded('ACCOUNT_UNKNOWN', 'it was removed');
    },
    async forget(batch) {
      const page = await erasedTimes.scan({ limit: pageLength });
      const old = page.filter(({ key }) => Number(key.slice(0, 16)) < clock.nowMs() - usageKeptMs);
      for (const { key, value } of old)
        batch.change(erasedTimes.removeOperation(key), erased.removeOperation(value.id));
    },
  };
}

function hashOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url');
}

import type { UsageReply, UsageRequest, UsageSums } from '../../../common/contract/usage.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { monthOf } from './core/month.ts';
import type { Desk } from './desk.ts';
import type { Metered } from './metered.ts';
import type { BillingRecords } from './records.ts';

/** What accounts have used, as others count it. */
export interface Usage {
  /**
   * Counts each record once by its account and id, and charges it where a meter does. Errors: INVALID (from the future: more than a minute),
   * AMOUNT_INVALID (more than an invoice could be written over).
   */
  add(request: UsageRequest): Promise<UsageReply>;
  /** Sums by account, month and metric; `after` is the `next` of the page before. */
  sums(page: { account?: string | undefined; after?: string | undefined; limit: number }): Promise<UsageSums>;
}

const futureMs = 60_000;

/** Opens it. */
export function openUsage(options: {
  records: BillingRecords;
  desk: Desk;
  metered: Pick<Metered, 'count'>;
  /** Brings the subscription of an account to the present. */
  catchUp: (subscription: string) => Promise<void>;
  clock: Clock;
}): Usage {
  const { desk, metered, catchUp, clock } = options;
  const { usage, usageSums, accounts, subscriptions } = options.records;
  /** A period that has ended is invoiced before what comes after it is counted. */
  const endPeriods = async (records: UsageRequest['records']): Promise<void> => {
    for (const account of new Set(records.map((record) => record.account))) {
      const id = (await accounts.get(account))?.value.subscription;
      const dueAtMs = id && (await subscriptions.get(id))?.value.dueAtMs;
      if (id !== undefined && Number(dueAtMs) <= clock.nowMs()) await catchUp(id);
    }
  };
  return {
    async add({ records }) {
      await endPeriods(records);
      return desk.book(async (batch) => {
        const fresh = new Map<string, UsageRequest['records'][number]>();
        for (const record of records) {
          if (record.atMs > clock.nowMs() + futureMs)
            throw coded('INVALID', `${record.id} is from the future`);
          const key = `${record.account}:${record.id}`;
          if (!fresh.has(key) && (await usage.get(key)) === undefined) fresh.set(key, record);
        }
        const counted = await metered.count(batch, [...fresh.values()]);
        const more = new Map<string, number>();
        for (const [key, record] of fresh) {
          const { account, metric, quantity, atMs } = record;
          const isMetered = counted.has(record) && ({ isMetered: true } as const);
          batch.change(usage.putOperation(key, { metric, quantity, atMs, ...isMetered }, 0));
          const sum = `${account}:${monthOf(atMs)}:${metric}`;
          more.set(sum, (more.get(sum) ?? 0) + quantity);
        }
        for (const [key, quantity] of more) {
          const before = (await usageSums.get(key))?.value.quantity ?? 0;
          batch.change(usageSums.putOperation(key, { quantity: before + quantity }));
        }
        return { accepted: fresh.size, duplicates: records.length - fresh.size };
      });
    },
    async sums({ account, after, limit }) {
      const page = await usageSums.scan({
        ...(account !== undefined && { prefix: `${account}:` }),
        after,
        limit,
      });
      const last = page.at(-1);
      return {
        sums: page.map(({ key, value: { quantity } }) => {
          const [of = '', month = '', metric = ''] = key.split(':');
          return { account: of, month, metric, quantity };
        }),
        ...(page.length === limit && last !== undefined && { next: last.key }),
      };
    },
  };
}

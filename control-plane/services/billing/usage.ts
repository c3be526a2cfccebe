import type { UsageReply, UsageRequest, UsageSums } from '../../../common/contract/usage.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Batch } from './batch.ts';
import { monthOf } from './core/month.ts';
import type { Desk } from './desk.ts';
import type { Erased } from './erased.ts';
import type { Metered } from './metered.ts';
import { ordered, type BillingRecords } from './records.ts';
import { openUsageFolding, usageKeptMs, type UsageFolding } from './usage-folding.ts';

/** What sessions play, in seconds: counted here, by what players tell. */
export const playedMetric = 'playback-seconds';

export type Told = UsageRequest['records'][number];
type Refusal = Omit<UsageReply['refused'][number], 'index'>;

/** What accounts have used. */
export interface Usage extends UsageFolding {
  /**
   * Counts each record once by its account and id, and charges it where a meter does. Refuses by record: INVALID (from the future: more than
   * a minute; or more than 99 days old; or of what is counted here), ACCOUNT_UNKNOWN (the account was removed), AMOUNT_INVALID (no invoice could be written over the sum),
   * UNAVAILABLE (to be told again).
   */
  add(request: UsageRequest): Promise<UsageReply>;
  /** Books what time has changed for these accounts, so that a period that has ended is invoiced before what comes after it is counted; gives those of which that cannot be done now. */
  endPeriods(accounts: ReadonlySet<string>): Promise<ReadonlySet<string>>;
  /** As `add`, in the making of a batch, after `endPeriods`, which said what is stuck; gives what is refused. `isOurs`: it was counted here. */
  count(
    batch: Batch,
    told: readonly Told[],
    by: { stuck: ReadonlySet<string>; isOurs: boolean },
  ): Promise<ReadonlyMap<Told, Refusal>>;
  /** Sums by account, month and metric; `after` is the `next` of the page before. */
  sums(page: { account?: string | undefined; after?: string | undefined; limit: number }): Promise<UsageSums>;
}

const futureMs = 60_000;
/** What is so old may have been counted, and its id forgotten. */
const lateMs = usageKeptMs - 86_400_000;

interface UsageOptions {
  records: BillingRecords;
  desk: Desk;
  metered: Pick<Metered, 'count'>;
  erased: Pick<Erased, 'has'>;
  /** Brings the subscription of an account to the present. */
  catchUp: (subscription: string) => Promise<void>;
  clock: Clock;
}

/** Opens it. */
export function openUsage(options: UsageOptions): Usage {
  const { records, desk, metered, erased, clock } = options;
  const countIn = async (...[batch, told, by]: Parameters<Usage['count']>) => {
    const nowMs = clock.nowMs();
    const gone = await goneOf(erased, told);
    const { fresh, refused } = await sorted(records, told, { ...by, nowMs, gone });
    const { counted, refused: tooMuch } = await metered.count(batch, [...fresh.keys()]);
    for (const record of tooMuch) {
      refused.set(record, { code: 'AMOUNT_INVALID', detail: 'no invoice could be written over its sum' });
      fresh.delete(record);
    }
    await write(batch, records, { fresh, counted, nowMs });
    return { accepted: fresh.size, refused };
  };
  return {
    async add({ records: told }) {
      const stuck = await endPeriods(options, new Set(told.map(({ account }) => account)));
      return desk.book(async (batch) => {
        const { accepted, refused } = await countIn(batch, told, { stuck, isOurs: false });
        return {
          accepted,
          duplicates: told.length - accepted - refused.size,
          refused: told.flatMap((record, index) => {
            const refusal = refused.get(record);
            return refusal === undefined ? [] : [{ index, ...refusal }];
          }),
        };
      });
    },
    endPeriods: (accounts) => endPeriods(options, accounts),
    count: async (...asked) => (await countIn(...asked)).refused,
    ...openUsageFolding({ records, desk, clock }),
    sums: (page) => sumsOf(records, page),
  };
}

/** A period that has ended is invoiced before what comes after it is counted; gives the accounts of which that cannot be done now. */
async function endPeriods(
  { records: { accounts, subscriptions }, catchUp, clock }: UsageOptions,
  of: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const stuck = new Set<string>();
  for (const account of of) {
    const id = (await accounts.get(account))?.value.subscription;
    const dueAtMs = id && (await subscriptions.get(id))?.value.dueAtMs;
    if (id !== undefined && Number(dueAtMs) <= clock.nowMs())
      await catchUp(id).catch(() => stuck.add(account));
  }
  return stuck;
}

/** The accounts that are not there any more. */
async function goneOf({ has }: Pick<Erased, 'has'>, told: readonly Told[]): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  for (const account of new Set(told.map((record) => record.account)))
    if (await has(account)) gone.add(account);
  return gone;
}

/** What is new, each with its key, and what is refused; the rest was told before. */
async function sorted(
  { usage }: BillingRecords,
  told: readonly Told[],
  at: Parameters<typeof refusalOf>[1],
): Promise<{ fresh: Map<Told, string>; refused: Map<Told, Refusal> }> {
  const [fresh, refused] = [new Map<Told, string>(), new Map<Told, Refusal>()];
  const keys = new Set<string>();
  for (const record of told) {
    const key = `${record.account}:${record.id}`;
    const refusal = refusalOf(record, at);
    if (refusal !== undefined) refused.set(record, refusal);
    else if (!keys.has(key) && (await usage.get(key)) === undefined) {
      fresh.set(record, key);
      keys.add(key);
    }
  }
  return { fresh, refused };
}

async function write(
  batch: Batch,
  { usage, usageTimes, usageSums }: BillingRecords,
  { fresh, counted, nowMs }: { fresh: ReadonlyMap<Told, string>; counted: ReadonlySet<Told>; nowMs: number },
): Promise<void> {
  const more = new Map<string, number>();
  for (const [record, key] of fresh) {
    const { account, metric, quantity, atMs } = record;
    const isMetered = counted.has(record) && ({ isMetered: true } as const);
    batch.change(
      usage.putOperation(key, { metric, quantity, atMs, toldAtMs: nowMs, ...isMetered }, 0),
      usageTimes.putOperation(`${ordered(nowMs)}:${key}`, { id: key }),
    );
    const sum = `${account}:${monthOf(atMs)}:${metric}`;
    more.set(sum, (more.get(sum) ?? 0) + quantity);
  }
  for (const [key, quantity] of more) {
    const before = (await usageSums.get(key))?.value.quantity ?? 0;
    batch.change(usageSums.putOperation(key, { quantity: before + quantity }));
  }
}

/** A page of sums. */
async function sumsOf(
  { usageSums }: BillingRecords,
  { account, after, limit }: Parameters<Usage['sums']>[0],
): Promise<UsageSums> {
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
}

function refusalOf(
  { account, metric, atMs }: Told,
  {
    nowMs,
    stuck,
    gone,
    isOurs,
  }: { nowMs: number; stuck: ReadonlySet<string>; gone: ReadonlySet<string>; isOurs: boolean },
): Refusal | undefined {
  if (metric === playedMetric && !isOurs)
    return {
      code: 'INVALID',
      detail: 'it is counted here, by what players tell: give another name to what you count',
    };
  if (gone.has(account)) return { code: 'ACCOUNT_UNKNOWN', detail: 'it was removed' };
  if (atMs > nowMs + futureMs) return { code: 'INVALID', detail: 'it is from the future' };
  if (atMs < nowMs - lateMs) return { code: 'INVALID', detail: 'it is more than 99 days old' };
  return stuck.has(account)
    ? { code: 'UNAVAILABLE', detail: 'a period that has ended cannot be booked now; tell it again' }
    : undefined;
}

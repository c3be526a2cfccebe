import type { PaymentProvider } from '../../../common/adapters/payments/port.ts';
import type { Meter, UsageLine } from '../../../common/contract/meters.ts';
import type { UsageDue, UsageRequest } from '../../../common/contract/usage.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Batch } from './batch.ts';
import { isTooMuch, quantityOf, usageLine } from './core/meters.ts';
import { usageUntil, type UsageCut } from './core/subscription.ts';
import type { FreshCredit, Invoices, Issued } from './invoices.ts';
import { carriedMax, type BillingRecords, type MeteredRecord, type SubscriptionRecord } from './records.ts';

type Told = UsageRequest['records'][number];

/**
 * Usage that is charged. It counts for the period in which it is told, so that what comes late is on the next invoice; what was used on trial,
 * before the subscription, before there was a meter for it or before the end of a pause is not charged.
 */
export interface Metered {
  /** Counts what was told, once, and says of which records; refuses those with which no invoice could be written over the sum. */
  count(
    batch: Batch,
    told: readonly Told[],
  ): Promise<{ counted: ReadonlySet<Told>; refused: ReadonlySet<Told> }>;
  /**
   * Invoices what is open, where that costs anything, and begins anew. What is less than the provider takes is carried to the next invoice, and
   * given up at the end of the subscription or of its meters (`isLast`) or after many of them; without a cut all is given up.
   */
  close(
    batch: Batch,
    subscription: SubscriptionRecord,
    terms: { cut: UsageCut | undefined; isLast: boolean; fresh: FreshCredit; nowMs: number },
  ): Promise<Issued | undefined>;
  /** What is open of a subscription, as it would be invoiced now. Errors: SUBSCRIPTION_UNKNOWN. */
  due(subscription: string): Promise<UsageDue>;
}

/** Opens it. */
export function openMetered(options: {
  records: BillingRecords;
  invoices: Invoices;
  provider: Pick<PaymentProvider, 'takes'> | undefined;
  clock: Clock;
}): Metered {
  return new KeptMetered(options);
}

const none: MeteredRecord = { folded: 0, told: 0, open: 0, invoiced: 0, free: 0, givenUp: 0, carried: [] };

class KeptMetered implements Metered {
  readonly #options: Parameters<typeof openMetered>[0];

  constructor(options: Parameters<typeof openMetered>[0]) {
    this.#options = options;
  }

  async count(...[batch, told]: Parameters<Metered['count']>): ReturnType<Metered['count']> {
    const { metered } = this.#options.records;
    const [counted, refused] = [new Set<Told>(), new Set<Told>()];
    const after = new Map<string, MeteredRecord>();
    for (const one of told) {
      const { account, metric, quantity } = one;
      const subscription = await this.#current(batch, account);
      const meter = subscription && chargedBy(subscription, one);
      if (meter === undefined) continue;
      const key = `${account}:${metric}`;
      const before = after.get(key) ?? (await metered.get(key))?.value ?? none;
      const open = before.open + quantity;
      if (!Number.isSafeInteger(before.told + quantity) || isTooMuch(open, meter)) {
        refused.add(one);
        continue;
      }
      counted.add(one);
      after.set(key, { ...before, open, told: before.told + quantity });
    }
    for (const [key, value] of after) batch.change(metered.putOperation(key, value));
    return { counted, refused };
  }

  async close(...[batch, subscription, terms]: Parameters<Metered['close']>): Promise<Issued | undefined> {
    const { records, invoices } = this.#options;
    const { cut, isLast, fresh, nowMs } = terms;
    const counted = await this.#counted(subscription.account);
    const lines = cut === undefined ? [] : linesOf(counted, cut);
    const amount = sumOf(lines);
    const fate = cut === undefined ? 'givenUp' : this.#fateOf(counted, { amount, isLast, cut });
    for (const [metric, before] of counted) {
      const line = lines.findLast((one) => one.metric === metric && one.fromMs === undefined);
      const key = `${subscription.account}:${metric}`;
      batch.change(records.metered.putOperation(key, closed(before, { line, fate, cut })));
    }
    if (cut === undefined || fate !== 'invoiced') return undefined;
    const { plan, price, part } = cut;
    const startMs = Math.min(part.startMs, ...lines.map(({ fromMs = part.startMs }) => fromMs));
    const named = (await batch.readOnce(`plan ${plan}`, () => records.plans.get(plan)))?.value;
    // Coupons are for the price of a period, not for what is used beside it.
    return invoices.issue(
      batch,
      { ...subscription, plan, price, coupons: [] },
      {
        bill: { amount, period: { ...part, startMs } },
        usage: lines,
        planName: named?.name ?? plan,
        nowMs,
        fresh,
      },
    );
  }

  async due(id: string): Promise<UsageDue> {
    const { records, clock } = this.#options;
    const subscription = (await records.subscriptions.get(id))?.value;
    if (subscription === undefined) throw coded('SUBSCRIPTION_UNKNOWN', id);
    const { endMs } = subscription.period;
    const cut = usageUntil(subscription, Math.max(endMs, clock.nowMs()));
    const lines = cut === undefined ? [] : linesOf(await this.#counted(subscription.account), cut);
    return { currency: subscription.price.currency, lines, amount: sumOf(lines) };
  }

  /** The subscription that an account has now. */
  async #current(batch: Batch, account: string): Promise<SubscriptionRecord | undefined> {
    const { accounts, subscriptions } = this.#options.records;
    return batch.readOnce(`subscription of ${account}`, async () => {
      const id = (await accounts.get(account))?.value.subscription;
      return id === undefined ? undefined : (await subscriptions.get(id))?.value;
    });
  }

  /** What an account has open or carried, by metric. */
  async #counted(account: string): Promise<Counted> {
    const counted = new Map<string, MeteredRecord>();
    for await (const { key, value } of this.#options.records.metered.all(`${account}:`))
      if (value.open > 0 || value.carried.length > 0) counted.set(key.slice(account.length + 1), value);
    return counted;
  }

  #fateOf(
    counted: Counted,
    { amount, isLast, cut }: { amount: number; isLast: boolean; cut: UsageCut },
  ): Fate {
    const { provider } = this.#options;
    if (amount === 0) return 'free';
    if (provider === undefined || provider.takes(amount, cut.price.currency) > 0) return 'invoiced';
    const isFull = [...counted.values()].some(({ carried }) => carried.length === carriedMax);
    return isLast || isFull ? 'givenUp' : 'carried';
  }
}

type Counted = ReadonlyMap<string, MeteredRecord>;
/** What becomes of usage that costs something when it is added up; what costs nothing is free. */
type Fate = 'invoiced' | 'carried' | 'givenUp' | 'free';

/** A metric after its sum was made: `line` is of what was open, undefined where the price has no meter for it. */
function closed(
  before: MeteredRecord,
  { line, fate, cut }: { line: UsageLine | undefined; fate: Fate; cut: UsageCut | undefined },
): MeteredRecord {
  const carried = quantityOf(before.carried);
  const ofOpen = line === undefined ? 'givenUp' : fate === 'carried' && line.amount === 0 ? 'free' : fate;
  if (fate === 'carried') {
    if (line === undefined || cut === undefined || ofOpen !== 'carried')
      return put({ ...before, open: 0 }, ofOpen, before.open);
    const more = { ...line, fromMs: cut.part.startMs };
    return { ...before, open: 0, carried: [...before.carried, more] };
  }
  return put(put({ ...before, open: 0, carried: [] }, fate, carried), ofOpen, before.open);
}

function put(record: MeteredRecord, fate: Fate, quantity: number): MeteredRecord {
  return fate === 'carried' ? record : { ...record, [fate]: record[fate] + quantity };
}

/** What was carried, by the terms of then, and what is open. */
function linesOf(counted: Counted, cut: UsageCut): UsageLine[] {
  const carried = [...counted.values()].flatMap((one) => one.carried);
  const open = (cut.price.meters ?? []).flatMap((meter) => {
    const quantity = counted.get(meter.metric)?.open ?? 0;
    return quantity === 0 ? [] : [usageLine(meter, quantity, cut)];
  });
  return [...carried, ...open];
}

function sumOf(lines: readonly UsageLine[]): number {
  return lines.reduce((sum, line) => sum + line.amount, 0);
}

/** The meter by which something that was used is charged. */
function chargedBy({ price, meteredSince }: SubscriptionRecord, { metric, atMs }: Told): Meter | undefined {
  const since = meteredSince?.find((one) => one.metric === metric);
  return since === undefined || atMs < since.sinceMs
    ? undefined
    : price.meters?.find((meter) => meter.metric === metric);
}

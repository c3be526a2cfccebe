import type { Meter } from '../../../../common/contract/meters.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';
import { daysLater, periodStart, type Interval, type Period, type Schedule } from './calendar.ts';
import type { Redemption } from './coupons.ts';
import { earnedBy, priceOfPart } from './proration.ts';

/** What one period costs. */
export interface Price {
  readonly currency: string;
  readonly amount: number;
  readonly interval: Interval;
  readonly taxInclusive: boolean;
  /** What is charged for what was used, at the end of each period. */
  readonly meters?: Meter[];
}

export type SubscriptionState = 'trial' | 'active' | 'past_due' | 'paused' | 'canceled';

/** What was last charged, so what is credited when it ends early. */
export interface Charge {
  readonly invoice: string;
  /** After coupons. */
  readonly base: number;
  readonly period: Period;
}

/** A subscription as it is at a moment; every function here gives a new one. */
export interface Subscription {
  readonly state: SubscriptionState;
  readonly plan: string;
  readonly price: Price;
  readonly timeZone: string;
  readonly trialEndsMs?: number | undefined;
  /** Where periods are counted from, and which one this is. */
  readonly anchorMs: number;
  readonly index: number;
  readonly period: Period;
  readonly charge?: Charge | undefined;
  /** Since when what is used of each metric is charged: since there has been a meter for it, not on trial and in no pause. */
  readonly meteredSince?: readonly { readonly metric: string; readonly sinceMs: number }[] | undefined;
  /** What happens at the end of the period. */
  readonly next?:
    | { readonly kind: 'cancel' }
    | { readonly kind: 'plan'; readonly plan: string; readonly price: Price }
    | undefined;
  readonly coupons: readonly Redemption[];
  /** Invoices that are not paid, the oldest first. */
  readonly unpaid: readonly { readonly invoice: string; readonly dueAtMs: number }[];
  readonly endedAtMs?: number | undefined;
}

/** What is to be invoiced: a part of a price, before coupons. */
export interface Bill {
  readonly amount: number;
  readonly period: Period;
}

/** Usage to be invoiced: of a part of a period that ends, by the price of then. */
export interface UsageCut {
  readonly plan: string;
  readonly price: Price;
  readonly whole: Period;
  readonly part: Period;
}

/** A change: the subscription after it, and what it does to the account's money, in this order. */
export interface Step {
  readonly subscription: Subscription;
  /** Of an earlier invoice, what was not used. */
  readonly credit?: { readonly invoice: string; readonly base: number } | undefined;
  readonly usage?: UsageCut | undefined;
  readonly bill?: Bill | undefined;
  /** Invoices that nobody is expected to pay any more. */
  readonly writtenOff?: readonly string[] | undefined;
}

/** An invoice may be paid so many days; then the subscription goes on so many more before it ends. */
export const paymentDays = 7;
export const graceDays = 14;

/** A new subscription: on trial, or billed at once. */
export function begin(
  terms: Pick<Subscription, 'plan' | 'price' | 'timeZone' | 'coupons'>,
  { nowMs, trialDays }: { nowMs: number; trialDays: number },
): Step {
  const base = { ...terms, unpaid: [], anchorMs: nowMs, index: 0 };
  if (trialDays === 0)
    return startPeriods({ ...base, state: 'active', period: { startMs: nowMs, endMs: nowMs } }, nowMs);
  const trialEndsMs = daysLater(nowMs, { days: trialDays, timeZone: terms.timeZone });
  return {
    subscription: { ...base, state: 'trial', trialEndsMs, period: { startMs: nowMs, endMs: trialEndsMs } },
  };
}

/**
 * Another plan or interval: at once, what is unused of the old credited and the rest of the period charged at the new price (a whole new
 * period where the interval is another), or at the end of the period. Refuses SUBSCRIPTION_STATE, CURRENCY_MISMATCH.
 */
export function changePlan(
  subscription: Subscription,
  { plan, price, when }: { plan: string; price: Price; when: 'now' | 'period-end' },
  nowMs: number,
): Result<Step> {
  const { state, price: old, period } = subscription;
  if (state !== 'trial' && state !== 'active') return refusedIn(state, 'its plan cannot be changed');
  if (old.currency !== price.currency)
    return refused(
      'CURRENCY_MISMATCH',
      `the subscription is in ${old.currency}, the price in ${price.currency}`,
    );
  if (when === 'period-end')
    return ok({ subscription: { ...subscription, next: { kind: 'plan', plan, price } } });
  const changed = { ...subscription, plan, price, next: undefined };
  if (state === 'trial') return ok({ subscription: changed });
  const credit = unused(subscription, nowMs);
  const usage = usageUntil(subscription, nowMs);
  if (!isSame(old.interval, price.interval)) return ok({ credit, usage, ...startPeriods(changed, nowMs) });
  const part = { startMs: Math.max(nowMs, period.startMs), endMs: period.endMs };
  return ok({
    subscription: { ...changed, meteredSince: meteredSince(changed, nowMs) },
    ...{ credit, usage },
    bill: { amount: priceOfPart(price.amount, period, part), period: part },
  });
}

/** Stops until it is resumed; what is unused is credited. Refuses SUBSCRIPTION_STATE. */
export function pause(subscription: Subscription, nowMs: number): Result<Step> {
  if (subscription.state !== 'active') return refusedIn(subscription.state, 'it cannot be paused');
  const credit = unused(subscription, nowMs);
  return ok({
    subscription: {
      ...{ ...subscription, state: 'paused' },
      ...{ charge: undefined, meteredSince: undefined, next: undefined },
    },
    credit,
    usage: usageUntil(subscription, nowMs),
  });
}

/** Goes on with a new period, or takes back that it ends or changes with this one. Refuses SUBSCRIPTION_STATE. */
export function resume(subscription: Subscription, nowMs: number): Result<Step> {
  const { state, next } = subscription;
  if (state === 'paused') return ok(startPeriods({ ...subscription, state: 'active' }, nowMs));
  if (next === undefined || state === 'canceled') return refusedIn(state, 'there is nothing to resume');
  return ok({ subscription: { ...subscription, next: undefined } });
}

/** Ends at once with what is unused credited, or with the period. Refuses SUBSCRIPTION_STATE. */
export function cancel(subscription: Subscription, when: 'now' | 'period-end', nowMs: number): Result<Step> {
  const { state } = subscription;
  if (state === 'canceled') return refusedIn(state, 'it has ended');
  if (when === 'period-end' && state !== 'paused')
    return ok({ subscription: { ...subscription, next: { kind: 'cancel' } } });
  return ok({
    subscription: ended(subscription, nowMs),
    credit: unused(subscription, nowMs),
    usage: usageUntil(subscription, nowMs),
  });
}

/** After an invoice was paid, credited or given up: back from `past_due` when none is left that is due. */
export function settle(subscription: Subscription, invoice: string): Subscription {
  const unpaid = subscription.unpaid.filter((one) => one.invoice !== invoice);
  const state = subscription.state === 'past_due' && unpaid.length === 0 ? 'active' : subscription.state;
  return { ...subscription, unpaid, state };
}

/** When time changes something next; never where it has ended and nothing of it is unpaid. */
export function nextAtMs(subscription: Subscription): number | undefined {
  const { state, period, unpaid, timeZone } = subscription;
  const [oldest] = unpaid;
  const times = state === 'paused' || state === 'canceled' ? [] : [period.endMs];
  if (oldest !== undefined && state === 'active') times.push(oldest.dueAtMs);
  if (oldest !== undefined && state !== 'trial' && state !== 'active')
    times.push(daysLater(oldest.dueAtMs, { days: graceDays, timeZone }));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What time changes at `nextAtMs`, which has come: the end of a trial or a period, a payment that is late, or too late. */
export function advance(subscription: Subscription): Step {
  const { state, period, next, unpaid, anchorMs, index } = subscription;
  const atMs = nextAtMs(subscription) ?? period.endMs;
  const isPeriodEnd = state !== 'paused' && state !== 'canceled' && atMs === period.endMs;
  if (!isPeriodEnd && state === 'active') return { subscription: { ...subscription, state: 'past_due' } };
  if (!isPeriodEnd) {
    const writtenOff = unpaid.map(({ invoice }) => invoice);
    const after = state === 'canceled' ? subscription : ended(subscription, atMs);
    return { subscription: { ...after, unpaid: [] }, writtenOff };
  }
  const usage = usageUntil(subscription, atMs);
  if (next?.kind === 'cancel') return { subscription: ended(subscription, atMs), usage };
  const { plan, price } = next ?? subscription;
  const going = { ...subscription, plan, price, next: undefined };
  if (state === 'trial') return startPeriods({ ...going, state: 'active' }, atMs);
  const isNew = !isSame(price.interval, subscription.price.interval);
  return {
    ...(isNew ? startPeriods(going, atMs) : startPeriod(going, { anchorMs, index: index + 1 })),
    usage,
  };
}

function startPeriods(subscription: Subscription, anchorMs: number): Step {
  return startPeriod(subscription, { anchorMs, index: 0 });
}

function startPeriod(
  subscription: Subscription,
  { anchorMs, index }: { anchorMs: number; index: number },
): Step {
  const { price, timeZone } = subscription;
  const schedule: Schedule = { anchorMs, timeZone, interval: price.interval };
  const period = { startMs: periodStart(schedule, index), endMs: periodStart(schedule, index + 1) };
  return {
    subscription: {
      ...{ ...subscription, anchorMs, index, period },
      meteredSince: meteredSince(subscription, period.startMs),
    },
    bill: { amount: price.amount, period },
  };
}

/** What was metered before goes on; of other metrics nothing is charged that was used before. */
function meteredSince(
  { price, meteredSince: before }: Subscription,
  atMs: number,
): Subscription['meteredSince'] {
  return price.meters?.map(({ metric }) => ({
    metric,
    sinceMs: before?.find((one) => one.metric === metric)?.sinceMs ?? atMs,
  }));
}

function unused({ charge }: Subscription, nowMs: number): Step['credit'] {
  if (charge === undefined) return undefined;
  const base = charge.base - earnedBy(charge.base, charge.period, nowMs);
  return base === 0 ? undefined : { invoice: charge.invoice, base };
}

/** What is used until a moment, since the last change of its terms; nothing on trial and in a pause. */
export function usageUntil(
  { state, plan, price, period, charge }: Subscription,
  atMs: number,
): UsageCut | undefined {
  if (price.meters === undefined || (state !== 'active' && state !== 'past_due')) return undefined;
  const startMs = charge?.period.startMs ?? period.startMs;
  return { plan, price, whole: period, part: { startMs, endMs: Math.max(startMs, atMs) } };
}

function ended(subscription: Subscription, atMs: number): Subscription {
  return { ...subscription, state: 'canceled', next: undefined, charge: undefined, endedAtMs: atMs };
}

function isSame(one: Interval, other: Interval): boolean {
  return one.unit === other.unit && one.count === other.count;
}

function refusedIn(state: SubscriptionState, what: string): Result<never> {
  return refused('SUBSCRIPTION_STATE', `it is ${state.replace('_', ' ')}: ${what}`);
}

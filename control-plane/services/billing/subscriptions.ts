import type {
  PlanChangeRequest,
  PlanView,
  SubscriptionRequest,
  SubscriptionView,
  When,
} from '../../../common/contract/billing.ts';
import { ok, type Result } from '../../../common/core/result.ts';
import { isTimeZone } from '../../../common/core/fill-window.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import { newObjectId } from '../../core/object-id.ts';
import type { Batch } from './batch.ts';
import { redeem } from './core/coupons.ts';
import {
  advance,
  begin,
  cancel,
  changePlan,
  nextAtMs,
  pause,
  resume,
  settle,
  type Step,
  type Subscription,
} from './core/subscription.ts';
import type { Erased } from './erased.ts';
import type { FreshCredit, Invoices, Issued } from './invoices.ts';
import type { Metered } from './metered.ts';
import { ordered, type BillingRecords, type SubscriptionRecord } from './records.ts';

/** A change of plan; `atMs`: as of a moment of its period that has passed, for which it was promised. */
export interface PlanChange extends PlanChangeRequest {
  readonly atMs?: number;
}

/** Subscriptions: each change is decided into a batch. */
export interface Subscriptions {
  /**
   * Subscribes an account. Errors: PLAN_UNKNOWN, CURRENCY_MISMATCH (the plan has no such price), COUPON_UNKNOWN, COUPON_NOT_REDEEMABLE,
   * SUBSCRIPTION_EXISTS, INVALID (an unknown time zone), ACCOUNT_UNKNOWN (it was removed).
   */
  add(batch: Batch, request: SubscriptionRequest): Promise<SubscriptionView>;
  /** Errors of the changes: SUBSCRIPTION_UNKNOWN, SUBSCRIPTION_STATE; of another plan also PLAN_UNKNOWN, CURRENCY_MISMATCH. */
  changePlan(batch: Batch, id: string, request: PlanChange): Promise<SubscriptionView>;
  pause(batch: Batch, id: string): Promise<SubscriptionView>;
  resume(batch: Batch, id: string): Promise<SubscriptionView>;
  cancel(batch: Batch, id: string, when: When): Promise<SubscriptionView>;
  /** Ends it at once for an account that goes: nobody is left to pay for what was used since the last invoice, which is given up. */
  leave(batch: Batch, id: string): Promise<SubscriptionView>;
  /** What time has changed until now, a step of it; false where nothing is due. */
  advance(batch: Batch, id: string): Promise<boolean>;
  /** After an invoice of it has nothing open any more. */
  settle(batch: Batch, id: string, invoice: string): Promise<void>;
  /** Errors: SUBSCRIPTION_UNKNOWN. */
  view(id: string): Promise<SubscriptionView>;
  /** The subscription of an account that lasts. */
  current(account: string): Promise<SubscriptionView | undefined>;
  /** By id, or those of an account. */
  list(options: {
    account?: string | undefined;
    after?: string | undefined;
    limit: number;
  }): Promise<SubscriptionView[]>;
}

export interface SubscriptionsOptions {
  records: BillingRecords;
  invoices: Invoices;
  metered: Pick<Metered, 'close'>;
  erased: Pick<Erased, 'refuse'>;
  clock: Clock;
  chance: Chance;
}

/** Opens the subscriptions. */
export function openSubscriptions(options: SubscriptionsOptions): Subscriptions {
  return new KeptSubscriptions(options);
}

class KeptSubscriptions implements Subscriptions {
  readonly #options: SubscriptionsOptions;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  async add(batch: Batch, request: SubscriptionRequest): Promise<SubscriptionView> {
    const { records, erased, clock, chance } = this.#options;
    const { account, country, region, timeZone } = request;
    await erased.refuse(account);
    if (!isTimeZone(timeZone)) throw coded('INVALID', `timeZone: there is no ${timeZone}`);
    const plan = await this.#sold(request.plan);
    const price = priceOf(plan, request);
    const known = (await records.accounts.get(account))?.value;
    if (known?.subscription !== undefined) throw coded('SUBSCRIPTION_EXISTS', known.subscription);
    const nowMs = clock.nowMs();
    const had = known?.coupons ?? [];
    const { currency } = price;
    const coupons =
      request.coupon === undefined ? [] : [await this.#redeem(batch, request.coupon, { currency, had })];
    const trialDays = known?.hadTrial === true ? 0 : plan.trialDays;
    const step = begin({ plan: plan.id, price, timeZone, coupons }, { nowMs, trialDays });
    const id = newObjectId('sub', chance);
    const about = {
      version: 1,
      id,
      account,
      country,
      ...(region !== undefined && { region }),
      createdAtMs: nowMs,
    } as const;
    batch.change(
      records.subscriptionsOf.putOperation(`${account}:${id}`, { id }),
      records.accounts.putOperation(account, {
        subscription: id,
        hadTrial: trialDays > 0 || known?.hadTrial === true,
        coupons: [...had, ...coupons.map(({ coupon }) => coupon.id)],
      }),
    );
    batch.tell('subscription.created', account, { subscription: id, plan: plan.id });
    return this.#carryOut(batch, { ...about, ...recordOf(step.subscription) }, step);
  }

  async changePlan(batch: Batch, id: string, request: PlanChange): Promise<SubscriptionView> {
    const record = await this.#known(id);
    const plan = await this.#sold(request.plan);
    const { currency, interval } = record.price;
    const price = priceOf(plan, { currency, unit: request.unit ?? interval.unit });
    const { when, atMs } = request;
    // What another change has billed since is billed from its own moment on: to credit that only and bill from here would bill a part twice.
    const billedFromMs = Math.max(record.period.startMs, record.charge?.period.startMs ?? 0);
    if (atMs !== undefined && atMs < billedFromMs)
      throw coded('SUBSCRIPTION_STATE', 'it has changed since the moment that the change was promised for');
    return this.#change(batch, record, (nowMs) =>
      changePlan(record, { plan: plan.id, price, when }, atMs ?? nowMs),
    );
  }

  async pause(batch: Batch, id: string): Promise<SubscriptionView> {
    const record = await this.#known(id);
    return this.#change(batch, record, (nowMs) => pause(record, nowMs));
  }

  async resume(batch: Batch, id: string): Promise<SubscriptionView> {
    const record = await this.#known(id);
    return this.#change(batch, record, (nowMs) => resume(record, nowMs));
  }

  async cancel(batch: Batch, id: string, when: When): Promise<SubscriptionView> {
    const record = await this.#known(id);
    return this.#change(batch, record, (nowMs) => cancel(record, when, nowMs));
  }

  async leave(batch: Batch, id: string): Promise<SubscriptionView> {
    const record = await this.#known(id);
    return this.#change(batch, record, (nowMs) => {
      const step = cancel(record, 'now', nowMs);
      return step.ok ? ok({ ...step.value, usage: undefined }) : step;
    });
  }

  async advance(batch: Batch, id: string): Promise<boolean> {
    const record = await this.#known(id);
    const atMs = nextAtMs(record);
    if (atMs === undefined || atMs > this.#options.clock.nowMs()) return false;
    await this.#carryOut(batch, record, advance(record));
    return true;
  }

  async settle(batch: Batch, id: string, invoice: string): Promise<void> {
    const record = await this.#known(id);
    await this.#carryOut(batch, record, { subscription: settle(record, invoice) });
  }

  async view(id: string): Promise<SubscriptionView> {
    return viewOf(await this.#known(id));
  }

  async current(account: string): Promise<SubscriptionView | undefined> {
    const { accounts } = this.#options.records;
    const id = (await accounts.get(account))?.value.subscription;
    return id === undefined ? undefined : this.view(id);
  }

  async list(options: {
    account?: string | undefined;
    after?: string | undefined;
    limit: number;
  }): Promise<SubscriptionView[]> {
    const { subscriptions, subscriptionsOf } = this.#options.records;
    const { account, after, limit } = options;
    if (account === undefined)
      return (await subscriptions.scan({ after, limit })).map(({ value }) => viewOf(value));
    const behind = after === undefined ? undefined : `${account}:${after}`;
    const found = await subscriptionsOf.scan({ prefix: `${account}:`, after: behind, limit });
    return Promise.all(found.map(async ({ value }) => this.view(value.id)));
  }

  async #known(id: string): Promise<SubscriptionRecord> {
    const entry = await this.#options.records.subscriptions.get(id);
    if (entry === undefined) throw coded('SUBSCRIPTION_UNKNOWN', id);
    return entry.value;
  }

  async #sold(id: string): Promise<PlanView> {
    const plan = (await this.#options.records.plans.get(id))?.value;
    if (plan === undefined || plan.archived) throw coded('PLAN_UNKNOWN', `${id} is not sold`);
    return plan;
  }

  async #redeem(
    batch: Batch,
    id: string,
    { currency, had }: { currency: string; had: readonly string[] },
  ): Promise<SubscriptionRecord['coupons'][number]> {
    const { records, clock } = this.#options;
    const record = (await records.coupons.get(id))?.value;
    if (record === undefined) throw coded('COUPON_UNKNOWN', id);
    const { redemptions, ...coupon } = record;
    const redemption = valueOf(redeem(coupon, { nowMs: clock.nowMs(), redemptions, currency, had }));
    batch.change(records.coupons.putOperation(id, { ...record, redemptions: redemptions + 1 }));
    return { coupon, used: redemption.used };
  }

  /** A change that somebody asked for. What time has changed was booked before: this is the moment of one that comes between. */
  async #change(
    batch: Batch,
    record: SubscriptionRecord,
    decide: (nowMs: number) => Result<Step>,
  ): Promise<SubscriptionView> {
    const nowMs = this.#options.clock.nowMs();
    const atMs = nextAtMs(record);
    if (atMs !== undefined && atMs <= nowMs)
      throw coded('SUBSCRIPTION_STATE', {
        detail: 'its period ends at this moment; ask again',
        retryAfterMs: 1000,
      });
    return this.#carryOut(batch, record, valueOf(decide(nowMs), record.id));
  }

  /** Puts a step into the batch, in the order of its parts: credit notes, what is given up, the invoice, the subscription. */
  async #carryOut(batch: Batch, before: SubscriptionRecord, step: Step): Promise<SubscriptionView> {
    const { records, invoices, clock } = this.#options;
    const nowMs = clock.nowMs();
    let after: SubscriptionRecord = { ...aboutOf(before), ...recordOf(step.subscription) };
    let fresh: FreshCredit = { amount: 0, spent: 0 };
    if (step.credit !== undefined) {
      const { invoice, base } = step.credit;
      const credited = await invoices.credit(batch, invoice, { base, reason: 'Unused time', nowMs });
      fresh = { amount: credited?.toCredit ?? 0, spent: 0 };
      if (credited?.open === 0) after = { ...after, ...recordOf(settle(after, invoice)) };
    }
    for (const invoice of step.writtenOff ?? []) await invoices.writeOff(batch, invoice, nowMs);
    const hasEnded = after.state === 'canceled' && before.state !== 'canceled';
    if (before.price.meters !== undefined && (step.usage !== undefined || hasEnded)) {
      const issued = await this.#options.metered.close(batch, before, {
        ...{ cut: step.usage, fresh, nowMs },
        // No later invoice would be of usage.
        isLast: hasEnded || after.price.meters === undefined,
      });
      if (issued !== undefined) {
        fresh = { ...fresh, spent: issued.paper.creditApplied };
        after = { ...after, unpaid: [...after.unpaid, ...unpaidOf(issued)] };
      }
    }
    if (step.bill !== undefined) after = await this.#bill(batch, after, { bill: step.bill, fresh, nowMs });
    this.#store(batch, { before, after });
    batch.touch(after.account);
    const told = { subscription: after.id, plan: after.plan, state: after.state };
    batch.tell(hasEnded ? 'subscription.ended' : 'subscription.changed', after.account, told);
    if (hasEnded) {
      const { subscription: _ended, ...had } = (await records.accounts.get(after.account))?.value ?? {
        hadTrial: false,
      };
      batch.change(records.accounts.putOperation(after.account, had));
    }
    return viewOf(after);
  }

  async #bill(
    batch: Batch,
    record: SubscriptionRecord,
    terms: { bill: NonNullable<Step['bill']>; fresh: FreshCredit; nowMs: number },
  ): Promise<SubscriptionRecord> {
    const { records, invoices } = this.#options;
    const plan = (await batch.readOnce(`plan ${record.plan}`, () => records.plans.get(record.plan)))?.value;
    const issued = await invoices.issue(batch, record, {
      ...terms,
      planName: plan?.name ?? record.plan,
    });
    const { paper, coupons } = issued;
    const charge = { invoice: paper.id, base: paper.base, period: paper.period };
    return { ...record, coupons, charge, unpaid: [...record.unpaid, ...unpaidOf(issued)] };
  }

  #store(batch: Batch, { before, after }: { before: SubscriptionRecord; after: SubscriptionRecord }): void {
    const { subscriptions, due } = this.#options.records;
    const dueAtMs = nextAtMs(after);
    const { dueAtMs: _old, ...rest } = after;
    batch.change(subscriptions.putOperation(after.id, dueAtMs === undefined ? rest : { ...rest, dueAtMs }));
    const keyOf = (atMs: number) => `${ordered(atMs)}:${after.id}`;
    if (before.dueAtMs !== undefined) batch.change(due.removeOperation(keyOf(before.dueAtMs)));
    if (dueAtMs !== undefined) batch.change(due.putOperation(keyOf(dueAtMs), { id: after.id }));
  }
}

function unpaidOf({ paper: { id, dueAtMs }, open }: Issued): SubscriptionRecord['unpaid'] {
  return open === 0 ? [] : [{ invoice: id, dueAtMs }];
}

function priceOf(
  plan: PlanView,
  { currency, unit }: { currency: string; unit?: string | undefined },
): PlanView['prices'][number] {
  const price = plan.prices.find(
    (one) => one.currency === currency && (unit === undefined || one.interval.unit === unit),
  );
  if (price === undefined)
    throw coded(
      'CURRENCY_MISMATCH',
      `${plan.id} has no price in ${currency}${unit === undefined ? '' : ` by the ${unit}`}`,
    );
  return price;
}

function aboutOf(record: SubscriptionRecord) {
  const { version, id, account, country, region, createdAtMs, dueAtMs } = record;
  return {
    ...{ version, id, account, country, createdAtMs },
    ...(region !== undefined && { region }),
    ...(dueAtMs !== undefined && { dueAtMs }),
  };
}

/** A subscription's own fields, as a record has them: none that is undefined. */
function recordOf(subscription: Subscription) {
  const { state, plan, price, timeZone, anchorMs, index, period, coupons, unpaid } = subscription;
  const { trialEndsMs, charge, meteredSince, next, endedAtMs } = subscription;
  return {
    ...{ state, plan, price, timeZone, anchorMs, index, period, coupons: [...coupons], unpaid: [...unpaid] },
    ...(trialEndsMs !== undefined && { trialEndsMs }),
    ...(charge !== undefined && { charge }),
    ...(meteredSince !== undefined && { meteredSince: [...meteredSince] }),
    ...(next !== undefined && { next }),
    ...(endedAtMs !== undefined && { endedAtMs }),
  };
}

function viewOf(record: SubscriptionRecord): SubscriptionView {
  const { id, account, plan, price, state, country, region, timeZone, period, next, createdAtMs, endedAtMs } =
    record;
  return {
    ...{ id, account, plan, price, state, country, timeZone, period, createdAtMs },
    ...(region !== undefined && { region }),
    ...(next !== undefined && { next }),
    ...(endedAtMs !== undefined && { endedAtMs }),
    coupons: record.coupons.map(({ coupon }) => coupon.id),
    unpaid: record.unpaid.map(({ invoice }) => invoice),
  };
}

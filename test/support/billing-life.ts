import type { ManualClock } from '../../common/runtime/manual-clock.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import type { Billing } from '../../control-plane/services/billing/service.ts';
import {
  dayMs,
  placesSold,
  plansSold,
  sellPlans,
  subscriptionOf,
  taxTable,
} from '../control-plane/support/billing-lab.ts';
import { pick } from './seeded.ts';

/** What was asked for, and what was answered. */
export interface Done {
  readonly ask: { readonly caller: string; readonly key: string; readonly request: unknown };
  readonly reply: object;
}

/** What a random wish may be refused with. */
const refusals = [
  ...(['SUBSCRIPTION_STATE', 'AMOUNT_INVALID', 'CURRENCY_MISMATCH', 'COUPON_NOT_REDEEMABLE'] as const),
];

/** Puts what is sold in random lives. */
export async function prepareLives({ offers }: Billing): Promise<void> {
  await offers.putTaxes(taxTable);
  await sellPlans(offers);
  await offers.putCoupon('third', { off: { kind: 'part', partPpm: 333_333 }, invoices: 3 });
  await offers.putCoupon('five', { off: { kind: 'amount', amount: 500, currency: 'EUR' } });
}

/** Random lives of subscribers: each step is one wish of one account, now and then after some time. */
export class BillingLives {
  readonly #billing: Billing;
  readonly #clock: ManualClock;
  readonly #random: () => number;
  readonly #accounts: number;

  constructor(options: { billing: Billing; clock: ManualClock; random: () => number; accounts: number }) {
    this.#billing = options.billing;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#accounts = options.accounts;
  }

  /** One step, under the idempotency key `op-<number>`; undefined where it was refused, or nothing was wished. */
  async step(number: number): Promise<Done | undefined> {
    const { bookDue, subscriptions } = this.#billing;
    if (this.#chance(0.1)) {
      await this.#clock.advance(Math.floor(this.#random() * 2 * dayMs));
      await bookDue();
    }
    const account = `usr_soak-${String(pick(this.#random, this.#accounts)).padStart(5, '0')}`;
    if (this.#chance(0.15)) {
      await this.#use(account, number);
      return undefined;
    }
    const current = await subscriptions.current(account);
    const wish = current === undefined ? this.#subscribe(account) : await this.#change(account, current);
    if (wish === undefined) return undefined;
    const ask = { caller: 'usr_operator-1', key: `op-${number}`, request: wish.request };
    const subscription = current && { subscription: current.id };
    try {
      const reply = await this.#billing.once({ ...ask, ...subscription }, wish.decide);
      return { ask, reply };
    } catch (error) {
      if (isCoded(error, ...refusals)) return undefined;
      throw error;
    }
  }

  async #use(account: string, number: number): Promise<void> {
    const quantity = 1 + pick(this.#random, 300);
    const record = { id: `used-${String(number).padStart(9, '0')}`, account, metric: 'minutes', quantity };
    await this.#billing.usage.add({ records: [{ ...record, atMs: this.#clock.nowMs() }] });
  }

  #subscribe(account: string): Wish {
    const place = this.#one(placesSold);
    const coupon = this.#chance(0.3) ? { coupon: this.#one(['third', 'five']) } : {};
    const request = subscriptionOf(account, { ...place, plan: this.#one(plansSold), ...coupon });
    return { request, decide: (batch) => this.#billing.subscriptions.add(batch, request) };
  }

  async #change(account: string, current: Current): Promise<Wish | undefined> {
    const { subscriptions, payments, invoices } = this.#billing;
    const { id, unpaid } = current;
    const when = this.#one(['now', 'period-end'] as const);
    const [invoice] = unpaid;
    if (invoice !== undefined && this.#chance(0.6)) {
      const { open, currency } = await invoices.view(invoice);
      const amount = this.#chance(0.3) ? 1 + pick(this.#random, open) : open;
      const request = { invoice, amount, currency, reference: 'bank' };
      return { request, decide: (batch) => payments.pay(batch, request) };
    }
    switch (pick(this.#random, 8)) {
      case 0:
        return { request: [id, 'pause'], decide: (batch) => subscriptions.pause(batch, id) };
      case 1:
      case 2:
        return { request: [id, 'resume'], decide: (batch) => subscriptions.resume(batch, id) };
      case 3:
        return { request: [id, 'cancel', when], decide: (batch) => subscriptions.cancel(batch, id, when) };
      case 4:
        return this.#credit(account);
      case 5:
        return this.#refund(account, current);
      default: {
        const request = { plan: this.#one(plansSold), when };
        return { request: [id, request], decide: (batch) => subscriptions.changePlan(batch, id, request) };
      }
    }
  }

  async #credit(account: string): Promise<Wish | undefined> {
    const invoices = await this.#billing.invoices.list({ account, after: 0, limit: 1000 });
    const invoice = invoices[pick(this.#random, Math.max(1, invoices.length))];
    if (invoice === undefined || invoice.base === 0) return undefined;
    const part = this.#chance(0.5) ? { amount: 1 + pick(this.#random, invoice.base) } : {};
    const request = { reason: 'Sorry', ...part };
    const { id } = invoice;
    return { request: [id, request], decide: (batch) => this.#billing.payments.credit(batch, id, request) };
  }

  async #refund(account: string, { price: { currency } }: Current): Promise<Wish | undefined> {
    const credit = await this.#billing.invoices.creditOf(account, currency);
    if (credit === 0) return undefined;
    const request = { account, amount: 1 + pick(this.#random, credit), currency, reference: 'bank' };
    return { request, decide: (batch) => this.#billing.payments.refund(batch, request) };
  }

  #chance(part: number): boolean {
    return this.#random() < part;
  }

  #one<T>(list: readonly T[]): T {
    return list[pick(this.#random, list.length)]!;
  }
}

type Current = NonNullable<Awaited<ReturnType<Billing['subscriptions']['current']>>>;

interface Wish {
  readonly request: unknown;
  readonly decide: Parameters<Billing['once']>[1];
}

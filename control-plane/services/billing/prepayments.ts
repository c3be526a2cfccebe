import type {
  ChargeOutcome,
  PaymentProvider,
  ProviderNotice,
} from '../../../common/adapters/payments/port.ts';
import type { PaymentView } from '../../../common/contract/billing.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Batch } from './batch.ts';
import type { Desk } from './desk.ts';
import type { Invoices } from './invoices.ts';
import type { Payers } from './payers.ts';
import type { Payments } from './payments.ts';
import { ordered, type BillingRecords, type PrepaymentRecord } from './records.ts';

/**
 * Money that is taken before there is an invoice for it: it becomes the account's credit. It is written down before it is asked for, so that
 * whatever becomes of whoever wanted it, of the card or of our keys, what the provider took is found, booked and given back.
 */
export interface Prepayments {
  /**
   * Takes money by the provider, once for its key. Errors: PAYMENTS_OFF, PAYMENT_METHOD_MISSING, PAYMENT_FAILED; UNAVAILABLE (ask again),
   * IDEMPOTENCY_KEY_REUSED (another order by the same key), those of the provider. @returns the payment's id; undefined where nothing is to be taken, or less than the provider takes.
   */
  take(
    order: { account: string; amount: number; currency: string },
    key: string,
  ): Promise<string | undefined>;
  /** Has what is left of a prepayment given back the way it came, once for its key. PAYMENT_UNKNOWN. */
  giveBack(payment: string, key: string): Promise<void>;
  /** What the provider has told of one. Errors: WEBHOOK_FOREIGN. */
  hear(batch: Batch, notice: ProviderNotice & { kind: 'charge' }): Promise<void>;
  /** Looks up what nobody has asked for any more, and gives back what had been taken. */
  run(): Promise<void>;
}

const prefix = 'prepay-';
const caller = 'prepayments';
const pageLength = 50;
/** Whoever wants money asks every minute until it is known; what nobody has asked for during so long is nobody's. */
const abandonedMs = 3_600_000;
/** For so long it is known what became of one, for those who ask again. */
const keptMs = 7 * 86_400_000;

/** Whether the provider was asked for a prepayment by this name, and not for an invoice. */
export function isPrepayment(asked: string): boolean {
  return asked.startsWith(prefix);
}

export interface PrepaymentsOptions {
  records: BillingRecords;
  desk: Desk;
  payers: Payers;
  payments: Payments;
  invoices: Invoices;
  provider: PaymentProvider | undefined;
  clock: Clock;
  log: Log;
}

/** Opens the prepayments. */
export function openPrepayments(options: PrepaymentsOptions): Prepayments {
  return new KeptPrepayments(options);
}

/** One with the payment that it is in the books: `pending` there until it is known what became of it. */
interface Known {
  readonly key: string;
  readonly record: PrepaymentRecord;
  readonly payment: PaymentView;
}

class KeptPrepayments implements Prepayments {
  readonly #options: PrepaymentsOptions;

  constructor(options: PrepaymentsOptions) {
    this.#options = options;
  }

  async take(
    order: { account: string; amount: number; currency: string },
    key: string,
  ): Promise<string | undefined> {
    const { desk, provider } = this.#options;
    const amount = provider?.takes(order.amount, order.currency) ?? order.amount;
    if (amount === 0) return undefined;
    const { known, isRepeat } = await desk.book((batch) => this.#begin(batch, { ...order, amount }, key));
    const { sent } = known.record;
    if (sent !== undefined && known.payment.state === 'pending') {
      if (provider === undefined)
        throw coded('UNAVAILABLE', 'it was asked of a provider that is not there any more');
      const outcome = await provider.charge(chargeOf(known, sent), { isRepeat });
      if (outcome.kind === 'refused') {
        await desk.book((batch) => this.#refuse(batch, known));
        throw coded('PROVIDER_REFUSED', outcome.reason);
      }
      if (outcome.kind === 'too-small') {
        const failed = { kind: 'failed', reason: 'amount_too_small', isFinal: true } as const;
        await desk.book((batch) => this.#learn(batch, key, failed));
        return desk.book((batch) => this.#handOver(batch, key));
      }
      if (outcome.kind === 'pending')
        throw coded('UNAVAILABLE', 'the provider does not know yet whether the payment goes through');
      await desk.book((batch) => this.#learn(batch, key, outcome));
    }
    return desk.book((batch) => this.#handOver(batch, key));
  }

  async giveBack(id: string, key: string): Promise<void> {
    await this.#options.desk.once({ caller, key, request: id }, async (batch) => {
      await this.#refundRest(batch, id);
      return {};
    });
  }

  async hear(batch: Batch, { asked, customer, outcome }: ProviderNotice & { kind: 'charge' }): Promise<void> {
    const key = asked.invoice.slice(prefix.length);
    const known = await this.#find(key);
    if (known?.payment.account !== asked.account)
      throw coded('WEBHOOK_FOREIGN', `${asked.invoice} was not asked of ${asked.account} here`);
    const { sent } = known.record;
    if (sent !== undefined && sent.customer !== customer)
      throw coded('WEBHOOK_FOREIGN', `${customer || 'nobody'} is not the customer of ${asked.account}`);
    // Of an earlier sending only money is news.
    const isNews = outcome.kind === 'paid' || asked.attempt === sendingOf(known.record);
    if (outcome.kind !== 'pending' && isNews) await this.#learn(batch, key, outcome);
  }

  async run(): Promise<void> {
    const { records, clock, log, desk } = this.#options;
    for (;;) {
      const page = await records.prepaymentsDue.scan({ limit: pageLength });
      const due = page.filter(({ key }) => Number(key.slice(0, 16)) <= clock.nowMs());
      if (due.length === 0) return;
      for (const { value } of due)
        await this.#settle(value.id).catch(async (error: unknown) => {
          log.error({ err: error, prepayment: value.id }, 'what became of a prepayment is not known; it is asked for again'); // prettier-ignore
          await desk.book((batch) => this.#putOff(batch, value.id));
        });
    }
  }

  /** Writes down what is asked for, where it is not yet. */
  async #begin(
    batch: Batch,
    { account, amount, currency }: { account: string; amount: number; currency: string },
    key: string,
  ): Promise<{ known: Known; isRepeat: boolean }> {
    const { payers, payments, clock } = this.#options;
    const before = await this.#find(key);
    if (before !== undefined) {
      checkOrder(before.payment, { account, amount, currency });
      if (before.record.isRefused === true)
        return { known: await this.#sendAnew(batch, before), isRepeat: false };
      if (before.record.sent !== undefined) await this.#putOff(batch, key);
      return { known: before, isRepeat: true };
    }
    const { provider, customer, method } = await payers.means(account);
    const payment = payments.askAhead(batch, { account, amount, currency, provider: provider.name });
    const record = {
      ...{ payment: payment.id, sent: { customer, method } },
      nextAtMs: clock.nowMs() + abandonedMs,
    };
    this.#store(batch, key, { before: undefined, after: record });
    return { known: { key, record, payment }, isRepeat: false };
  }

  /** One that was refused for our sake: by the card of now, by the next number. */
  async #sendAnew(batch: Batch, { key, record: before, payment }: Known): Promise<Known> {
    const { customer, method } = await this.#options.payers.means(payment.account);
    const { isRefused: _mended, ...rest } = before;
    const nextAtMs = this.#options.clock.nowMs() + abandonedMs;
    const record = { ...rest, sent: { customer, method }, nextAtMs };
    this.#store(batch, key, { before, after: record });
    return { key, record, payment };
  }

  /** The provider has refused it, and nothing is out. */
  async #refuse(batch: Batch, { key, record: sent }: Known): Promise<void> {
    const before = (await this.#find(key))?.record;
    if (before?.sent === undefined || sendingOf(before) !== sendingOf(sent)) return;
    const after = { ...before, refusals: sendingOf(before) + 1, isRefused: true as const };
    this.#store(batch, key, { before, after });
  }

  /** Books what became of one, once. */
  async #learn(
    batch: Batch,
    key: string,
    outcome: Exclude<ChargeOutcome, { kind: 'pending' }> | undefined,
  ): Promise<void> {
    const known = await this.#find(key);
    assert(known !== undefined, `prepayment ${key} was written down`);
    const { payments } = this.#options;
    const { record, payment } = known;
    // What comes after it was given up is the account's all the same.
    if (outcome?.kind === 'paid' && payment.state !== undefined)
      await payments.cameAhead(batch, payment, outcome);
    else if (outcome?.kind !== 'paid' && payment.state === 'pending') {
      payments.failedAhead(batch, payment);
      const failure = outcome?.reason ?? 'it was never taken';
      this.#conclude(batch, key, { ...record, failure });
    }
  }

  /** What whoever wanted it gets, who has it from now on. */
  async #handOver(batch: Batch, key: string): Promise<string> {
    const known = await this.#find(key);
    assert(known !== undefined, `prepayment ${key} was written down`);
    const { record, payment } = known;
    if (record.failure !== undefined) throw coded('PAYMENT_FAILED', record.failure);
    if (record.sent !== undefined) this.#conclude(batch, key, record);
    return payment.id;
  }

  /** Gives back what is left of a payment and stands; gives what of it was ever given back. */
  async #refundRest(batch: Batch, id: string): Promise<{ refunded: number; of: number }> {
    const { records, invoices, payments } = this.#options;
    const payment = (await records.payments.get(id))?.value;
    if (payment === undefined) throw coded('PAYMENT_UNKNOWN', id);
    const { account, currency, refunded = 0, disputed = 0, amount: of } = payment;
    const credit = await invoices.freeCreditOf(account, currency);
    const amount = Math.min(credit, of - refunded - disputed);
    if (amount <= 0) return { refunded, of };
    const reference = 'A change that was not made';
    await payments.refund(batch, { account, amount, currency, reference, payment: id });
    return { refunded: refunded + amount, of };
  }

  /** One that nobody has asked for: booked as the provider says, then given back, then forgotten; a step at a time. */
  async #settle(key: string): Promise<void> {
    const { provider, records } = this.#options;
    const known = await this.#find(key);
    assert(known !== undefined, `prepayment ${key} is due`);
    const { record, payment } = known;
    const { sent } = record;
    if (sent === undefined)
      return this.#unlessAsked(known, async (batch) => {
        const dueKey = `${ordered(record.nextAtMs)}:${key}`;
        batch.change(
          records.prepayments.removeOperation(key),
          records.prepaymentsDue.removeOperation(dueKey),
        );
      });
    if (payment.state === 'pending') {
      if (provider === undefined) throw coded('PAYMENTS_OFF', 'its provider is not there any more');
      const outcome = await provider.findCharge(chargeOf(known, sent));
      return this.#unlessAsked(known, (batch) =>
        outcome?.kind === 'pending' ? this.#putOff(batch, key) : this.#learn(batch, key, outcome),
      );
    }
    return this.#unlessAsked(known, async (batch) => {
      const { refunded, of } = await this.#refundRest(batch, payment.id);
      const what = refunded === of ? 'it was' : `${refunded} of it, in minor units, were`;
      this.#conclude(batch, key, { ...record, failure: `${what} given back: nobody asked for it any more` });
    });
  }

  /** Books what is due of one, but where somebody has asked for it since it was looked at: then it is theirs. */
  #unlessAsked({ key, record }: Known, decide: (batch: Batch) => Promise<void>): Promise<void> {
    return this.#options.desk.book(async (batch) => {
      const now = (await this.#options.records.prepayments.get(key))?.value;
      if (now?.nextAtMs === record.nextAtMs) await decide(batch);
    });
  }

  async #find(key: string): Promise<Known | undefined> {
    const { prepayments, payments } = this.#options.records;
    const record = (await prepayments.get(key))?.value;
    if (record === undefined) return undefined;
    const payment = (await payments.get(record.payment))?.value;
    assert(payment !== undefined, 'payments are never removed');
    return { key, record, payment };
  }

  async #putOff(batch: Batch, key: string): Promise<void> {
    const before = (await this.#options.records.prepayments.get(key))?.value;
    if (before === undefined) return;
    const after = { ...before, nextAtMs: this.#options.clock.nowMs() + abandonedMs };
    this.#store(batch, key, { before, after });
  }

  #conclude(batch: Batch, key: string, { sent: _sent, ...before }: PrepaymentRecord): void {
    const after = { ...before, nextAtMs: this.#options.clock.nowMs() + keptMs };
    this.#store(batch, key, { before, after });
  }

  #store(
    batch: Batch,
    key: string,
    { before, after }: { before: PrepaymentRecord | undefined; after: PrepaymentRecord },
  ): void {
    const { prepayments, prepaymentsDue } = this.#options.records;
    const keyOf = ({ nextAtMs }: PrepaymentRecord) => `${ordered(nextAtMs)}:${key}`;
    batch.change(prepayments.putOperation(key, after));
    if (before !== undefined) batch.change(prepaymentsDue.removeOperation(keyOf(before)));
    batch.change(prepaymentsDue.putOperation(keyOf(after), { id: key }));
  }
}

function chargeOf(
  { key, record, payment: { account, amount, currency } }: Known,
  sent: NonNullable<PrepaymentRecord['sent']>,
) {
  return { invoice: `${prefix}${key}`, account, attempt: sendingOf(record), ...sent, amount, currency };
}

/** Which sending this is or will be: the provider knows them apart by it. */
function sendingOf({ refusals = 0 }: PrepaymentRecord): number {
  return refusals;
}

function checkOrder(
  known: PaymentView,
  { account, amount, currency }: { account: string; amount: number; currency: string },
): void {
  if (known.account !== account || known.amount !== amount || known.currency !== currency)
    throw coded('IDEMPOTENCY_KEY_REUSED', 'take a new key for each new order');
}

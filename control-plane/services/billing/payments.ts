import type {
  CreditNotePaper,
  CreditNoteRequest,
  PaymentRequest,
  PaymentView,
  RefundRequest,
} from '../../../common/contract/billing.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { newObjectId } from '../../core/object-id.ts';
import type { Batch } from './batch.ts';
import { paymentPosting, refundBegunPosting, refundPosting } from './core/postings.ts';
import type { Disputes } from './disputes.ts';
import type { Invoices } from './invoices.ts';
import { ordered, type BillingRecords } from './records.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Money that comes and goes, as a person recorded it. */
const byHand = 'manual';

/** Money that a provider has taken. */
export interface Received {
  readonly provider: string;
  /** Its id there. */
  readonly payment: string;
  readonly invoice: string;
  readonly amount: number;
  readonly currency: string;
}

/** Payments, refunds, and credit notes that an operator writes; each is decided into a batch. */
export interface Payments {
  /** Errors: INVOICE_UNKNOWN, AMOUNT_INVALID (more than is open or was given up), CURRENCY_MISMATCH. */
  pay(batch: Batch, request: PaymentRequest): Promise<PaymentView>;
  /**
   * Books what a provider has taken for an invoice, once for its id there; what is no longer owed goes to the account's credit. Errors:
   * INVOICE_UNKNOWN.
   */
  receive(batch: Batch, received: Received): Promise<void>;
  /** Writes down that a provider is asked for an account's credit; nothing is posted until it has come. */
  askAhead(
    batch: Batch,
    order: Pick<PaymentView, 'account' | 'amount' | 'currency'> & { provider: string },
  ): PaymentView;
  /** It has come. */
  cameAhead(batch: Batch, asked: PaymentView, paid: Omit<Received, 'provider' | 'invoice'>): Promise<void>;
  /** It will not come. */
  failedAhead(batch: Batch, asked: PaymentView): void;
  /**
   * Gives credit back: by hand, or by the provider the way that a payment came, which takes its time. Errors: AMOUNT_INVALID (more than the
   * account's credit that is not under dispute, or than is left of the payment), PAYMENT_UNKNOWN (none of a provider for this account and currency).
   */
  refund(batch: Batch, request: RefundRequest): Promise<PaymentView>;
  /** Errors: INVOICE_UNKNOWN, AMOUNT_INVALID (more than is left of the invoice). */
  credit(batch: Batch, invoice: string, request: CreditNoteRequest): Promise<CreditNotePaper>;
  /** By id, all or those of an account. */
  list(options: {
    account?: string | undefined;
    after?: string | undefined;
    limit: number;
  }): Promise<PaymentView[]>;
}

export interface PaymentsOptions {
  records: BillingRecords;
  invoices: Invoices;
  subscriptions: Subscriptions;
  disputes: Pick<Disputes, 'catchUp'>;
  clock: Clock;
  chance: Chance;
}

/** Opens the payments. */
export function openPayments(options: PaymentsOptions): Payments {
  return new KeptPayments(options);
}

class KeptPayments implements Payments {
  readonly #options: PaymentsOptions;

  constructor(options: PaymentsOptions) {
    this.#options = options;
  }

  async pay(
    batch: Batch,
    { invoice: id, amount, currency, reference }: PaymentRequest,
  ): Promise<PaymentView> {
    const { invoice, recovered } = await this.#payInvoice(batch, id, { amount, currency });
    const { account } = invoice;
    const view = this.#newPayment({
      ...{ kind: 'payment', account, invoice: id, amount, currency, reference },
      ...(recovered > 0 && { recovered }),
    });
    this.#putPayment(batch, view);
    return view;
  }

  async receive(batch: Batch, received: Received): Promise<void> {
    const { records, invoices } = this.#options;
    const { provider, payment, invoice, amount, currency } = received;
    const key = `${provider}:${payment}`;
    if ((await records.providerPayments.get(key)) !== undefined) return;
    const { account, open, givenUp = 0, currency: owed } = await invoices.view(invoice);
    const part = currency === owed ? Math.min(open + givenUp, amount) : 0;
    const { recovered } =
      part > 0 ? await this.#payInvoice(batch, invoice, { amount: part, currency }) : { recovered: 0 };
    const view = this.#newPayment({
      ...{ kind: 'payment', account, invoice, amount, currency, reference: payment },
      ...{ provider, providerPayment: payment },
      ...(amount > part && { toCredit: amount - part }),
      ...(recovered > 0 && { recovered }),
    });
    this.#putPayment(batch, view);
    batch.change(records.providerPayments.putOperation(key, { id: view.id }, 0));
    await this.#options.disputes.catchUp(batch, view);
  }

  askAhead(
    batch: Batch,
    order: Pick<PaymentView, 'account' | 'amount' | 'currency'> & { provider: string },
  ): PaymentView {
    const view = this.#newPayment({ kind: 'payment', ...order, reference: 'ahead', state: 'pending' });
    this.#addPayment(batch, view);
    return view;
  }

  async cameAhead(
    batch: Batch,
    asked: PaymentView,
    paid: Omit<Received, 'provider' | 'invoice'>,
  ): Promise<void> {
    const { payments, providerPayments } = this.#options.records;
    const { state: _pending, ...view } = asked;
    const { payment, amount, currency } = paid;
    const came = { reference: payment, providerPayment: payment, amount, currency, toCredit: amount };
    const after = { ...view, ...came, atMs: this.#options.clock.nowMs() };
    batch.change(
      payments.putOperation(after.id, after),
      providerPayments.putOperation(`${after.provider ?? byHand}:${payment}`, { id: after.id }, 0),
    );
    this.#postPayment(batch, after);
    await this.#options.disputes.catchUp(batch, after);
  }

  failedAhead(batch: Batch, asked: PaymentView): void {
    batch.change(this.#options.records.payments.putOperation(asked.id, { ...asked, state: 'failed' }));
  }

  async refund(batch: Batch, request: RefundRequest): Promise<PaymentView> {
    const { invoices } = this.#options;
    const { account, amount, currency, reference } = request;
    const credit = await invoices.freeCreditOf(account, currency);
    if (amount > credit) {
      const held = (await invoices.creditOf(account, currency)) - credit;
      const more = held > 0 ? `, and ${held} that came of payments under dispute` : '';
      throw coded(
        'AMOUNT_INVALID',
        `the account has ${credit} ${currency} of credit, in minor units, not ${amount}${more}`,
      );
    }
    if (request.payment !== undefined) return this.#refundByProvider(batch, request, request.payment);
    const view = this.#newPayment({ kind: 'refund', account, amount, currency, reference });
    this.#addPayment(batch, view);
    batch.post(refundPosting(movedBy(view)));
    batch.tell('refund.made', account, { refund: view.id, amount, currency });
    return view;
  }

  async credit(batch: Batch, id: string, { amount, reason }: CreditNoteRequest): Promise<CreditNotePaper> {
    const { invoices, subscriptions, clock } = this.#options;
    const credited = await invoices.credit(batch, id, { base: amount, reason, nowMs: clock.nowMs() });
    if (credited === undefined || (amount !== undefined && credited.paper.base < amount))
      throw coded('AMOUNT_INVALID', `${credited?.paper.base ?? 0} are left of the invoice, in minor units`);
    const { paper, open } = credited;
    if (open === 0) await subscriptions.settle(batch, paper.subscription, id);
    return paper;
  }

  async list({ account, after, limit }: Parameters<Payments['list']>[0]): Promise<PaymentView[]> {
    const { payments, paymentsOf } = this.#options.records;
    if (account === undefined) return (await payments.scan({ after, limit })).map(({ value }) => value);
    const behind = after === undefined ? undefined : `${account}:${after}`;
    const page = await paymentsOf.scan({ prefix: `${account}:`, after: behind, limit });
    const found = await Promise.all(page.map(({ value }) => payments.get(value.id)));
    return found.flatMap((one) => (one === undefined ? [] : [one.value]));
  }

  async #payInvoice(batch: Batch, id: string, money: { amount: number; currency: string }) {
    const { invoices, subscriptions } = this.#options;
    const paid = await invoices.pay(batch, id, money);
    const { open, subscription } = paid.invoice;
    // Nobody waits for what was given up.
    if (open === 0 && paid.recovered < money.amount) await subscriptions.settle(batch, subscription, id);
    return paid;
  }

  async #refundByProvider(
    batch: Batch,
    { account, amount, currency, reference }: RefundRequest,
    id: string,
  ): Promise<PaymentView> {
    const { payments, refundsDue } = this.#options.records;
    const payment = (await payments.get(id))?.value;
    const isOfAccount = payment?.account === account && payment.currency === currency;
    const isMoney = payment?.kind === 'payment' && payment.state === undefined;
    if (payment?.provider === undefined || !isMoney || !isOfAccount)
      throw coded('PAYMENT_UNKNOWN', `${id}: no provider took ${currency} of ${account} by it`);
    const refunded = (payment.refunded ?? 0) + amount;
    const left = payment.amount - (payment.disputed ?? 0);
    if (refunded > left)
      throw coded(
        'AMOUNT_INVALID',
        `${Math.max(0, left - refunded + amount)} are left of the payment, not ${amount}`,
      );
    const { provider } = payment;
    const view = this.#newPayment({
      ...{ kind: 'refund', account, amount, currency, reference },
      ...{ provider, payment: id, state: 'pending' },
    });
    this.#addPayment(batch, view);
    batch.change(
      payments.putOperation(id, { ...payment, refunded }),
      refundsDue.putOperation(`${ordered(view.atMs)}:${view.id}`, { id: view.id }),
    );
    batch.post(refundBegunPosting(movedBy(view)));
    return view;
  }

  #newPayment(payment: Omit<PaymentView, 'id' | 'atMs'>): PaymentView {
    const { clock, chance } = this.#options;
    return { id: newObjectId('pay', chance), ...payment, atMs: clock.nowMs() };
  }

  #addPayment(batch: Batch, view: PaymentView): void {
    const { payments, paymentsOf } = this.#options.records;
    const { id, account } = view;
    batch.change(payments.putOperation(id, view, 0), paymentsOf.putOperation(`${account}:${id}`, { id }));
  }

  #putPayment(batch: Batch, view: PaymentView): void {
    this.#addPayment(batch, view);
    this.#postPayment(batch, view);
  }

  #postPayment(batch: Batch, view: PaymentView): void {
    const { id, account, invoice, amount, currency, toCredit = 0, recovered = 0 } = view;
    batch.post(paymentPosting({ ...movedBy(view), toCredit, recovered }));
    batch.tell('payment.received', account, { payment: id, invoice, amount, currency });
  }
}

/** What a payment or a refund is in the ledger. */
export function movedBy({ id, account, currency, amount, atMs, reference, provider = byHand }: PaymentView) {
  return { id, account, currency, amount, atMs, memo: reference, provider };
}

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
import { paymentPosting, refundPosting } from './core/postings.ts';
import type { Invoices } from './invoices.ts';
import type { BillingRecords } from './records.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Money that comes and goes, as a person recorded it. */
const provider = 'manual';

/** Payments, refunds, and credit notes that an operator writes; each is decided into a batch. */
export interface Payments {
  /** Errors: INVOICE_UNKNOWN, AMOUNT_INVALID (more than is open), CURRENCY_MISMATCH. */
  pay(batch: Batch, request: PaymentRequest): Promise<PaymentView>;
  /** Errors: AMOUNT_INVALID (more than the account's credit). */
  refund(batch: Batch, request: RefundRequest): Promise<PaymentView>;
  /** Errors: INVOICE_UNKNOWN, AMOUNT_INVALID (more than is left of the invoice). */
  credit(batch: Batch, invoice: string, request: CreditNoteRequest): Promise<CreditNotePaper>;
  /** By id. */
  list(options: { after?: string | undefined; limit: number }): Promise<PaymentView[]>;
}

/** Opens the payments. */
export function openPayments(options: {
  records: BillingRecords;
  invoices: Invoices;
  subscriptions: Subscriptions;
  clock: Clock;
  chance: Chance;
}): Payments {
  const { records, invoices, subscriptions, clock, chance } = options;
  const add = (batch: Batch, payment: Omit<PaymentView, 'id' | 'atMs'>): PaymentView => {
    const view = { id: newObjectId('pay', chance), ...payment, atMs: clock.nowMs() };
    batch.change(records.payments.putOperation(view.id, view, 0));
    const { id, account, currency, amount, atMs, reference } = view;
    const moved = { id, account, currency, amount, atMs, memo: reference, provider };
    batch.post(view.kind === 'payment' ? paymentPosting(moved) : refundPosting(moved));
    return view;
  };
  return {
    async pay(batch, { invoice: id, amount, currency, reference }) {
      const invoice = await invoices.pay(batch, id, { amount, currency });
      if (invoice.open === 0) await subscriptions.settle(batch, invoice.subscription, id);
      return add(batch, {
        kind: 'payment',
        account: invoice.account,
        invoice: id,
        amount,
        currency,
        reference,
      });
    },
    async refund(batch, { account, amount, currency, reference }) {
      const credit = await invoices.creditOf(account, currency);
      if (amount > credit)
        throw coded(
          'AMOUNT_INVALID',
          `the account has ${credit} ${currency} of credit, in minor units, not ${amount}`,
        );
      return add(batch, { kind: 'refund', account, amount, currency, reference });
    },
    async credit(batch, id, { amount, reason }) {
      const credited = await invoices.credit(batch, id, { base: amount, reason, nowMs: clock.nowMs() });
      if (credited === undefined || (amount !== undefined && credited.paper.base < amount))
        throw coded('AMOUNT_INVALID', `${credited?.paper.base ?? 0} are left of the invoice, in minor units`);
      const { paper, open } = credited;
      if (open === 0) await subscriptions.settle(batch, paper.subscription, id);
      return paper;
    },
    list: async (page) => (await records.payments.scan(page)).map(({ value }) => value),
  };
}

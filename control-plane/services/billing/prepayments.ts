import { coded } from '../../../common/runtime/errors.ts';
import type { Desk } from './desk.ts';
import type { Invoices } from './invoices.ts';
import type { Payers } from './payers.ts';
import type { Payments } from './payments.ts';
import type { BillingRecords } from './records.ts';

/** Money that is taken before there is an invoice for it: it becomes the account's credit. */
export interface Prepayments {
  /**
   * Takes money by the provider, once for its key. Errors: PAYMENTS_OFF, PAYMENT_METHOD_MISSING, PAYMENT_FAILED; UNAVAILABLE (ask again),
   * those of the provider. @returns the payment's id; undefined where nothing is to be taken.
   */
  take(
    order: { account: string; amount: number; currency: string },
    key: string,
  ): Promise<string | undefined>;
  /** Has what is left of a prepayment given back the way it came, once for its key. PAYMENT_UNKNOWN. */
  giveBack(payment: string, key: string): Promise<void>;
}

const prefix = 'prepay-';
const caller = 'prepayments';

/** Whether the provider was asked for a prepayment by this name, and not for an invoice. */
export function isPrepayment(asked: string): boolean {
  return asked.startsWith(prefix);
}

/** Opens the prepayments. */
export function openPrepayments(options: {
  records: BillingRecords;
  desk: Desk;
  payers: Payers;
  payments: Payments;
  invoices: Invoices;
}): Prepayments {
  const { records, desk, payers, payments, invoices } = options;
  return {
    async take({ account, amount, currency }, key) {
      if (amount === 0) return undefined;
      const { provider, customer, method } = await payers.means(account);
      const asked = { invoice: `${prefix}${key}`, account, attempt: 0 };
      const outcome = await provider.charge(
        { ...asked, customer, method, amount, currency },
        // It may have been, before a crash.
        { isRepeat: true },
      );
      if (outcome.kind === 'failed') throw coded('PAYMENT_FAILED', outcome.reason);
      if (outcome.kind === 'pending')
        throw coded('UNAVAILABLE', 'the provider does not know yet whether the payment goes through');
      const received = { ...outcome, provider: provider.name, account };
      const { payment } = await desk.once({ caller, key, request: account }, async (batch) => ({
        payment: (await payments.prepaid(batch, received)).id,
      }));
      return payment;
    },
    async giveBack(id, key) {
      await desk.once({ caller, key, request: id }, async (batch) => {
        const payment = (await records.payments.get(id))?.value;
        if (payment === undefined) throw coded('PAYMENT_UNKNOWN', id);
        const { account, currency, refunded = 0 } = payment;
        const credit = await invoices.creditOf(account, currency);
        const amount = Math.min(credit, payment.amount - refunded);
        const reference = 'A change that was not made';
        if (amount > 0) await payments.refund(batch, { account, amount, currency, reference, payment: id });
        return {};
      });
    },
  };
}

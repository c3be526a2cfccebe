import type { PaymentProvider, ProviderNotice } from '../../../common/adapters/payments/port.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Batch } from './batch.ts';
import { disputeEvents, disputeLines, type DisputeState } from './core/dispute.ts';
import { disputePosting } from './core/postings.ts';
import type { BillingRecords } from './records.ts';

/** What holders of cards have their banks take back: out of our cash while it is decided, and lost or ours again then. */
export interface Disputes {
  /** What the provider has told of one. Notices come late, twice and in any order: what was decided against us may turn, what was won stays. */
  hear(batch: Batch, notice: ProviderNotice & { kind: 'dispute' }): Promise<void>;
}

/** Opens the disputes. */
export function openDisputes(options: {
  records: BillingRecords;
  provider: PaymentProvider | undefined;
  clock: Clock;
  log: Log;
}): Disputes {
  const { records, provider, clock, log } = options;
  const { payments, providerPayments, disputes } = records;
  return {
    async hear(batch, { dispute: id, payment: paid, amount, currency, state }) {
      const known = (await providerPayments.get(`${provider?.name ?? ''}:${paid}`))?.value.id;
      if (known === undefined) {
        // The same account of the provider may sell other things.
        log.warn({ dispute: id, payment: paid }, 'a payment is disputed that is not in the books');
        return;
      }
      const payment = (await payments.get(known))?.value;
      assert(payment !== undefined, 'payments are never removed');
      const before = (await disputes.get(id))?.value;
      if (isOver(before?.state, state)) return;
      // What it is about does not change any more.
      const of = before ?? { payment: known, amount, currency };
      const { disputed = 0, ...rest } = payment;
      const now = disputed + takenBack(state, of.amount) - takenBack(before?.state, of.amount);
      batch.change(
        disputes.putOperation(id, { ...of, state }),
        payments.putOperation(known, { ...rest, ...(now > 0 && { disputed: now }) }),
      );
      const about = { id, ...of, atMs: clock.nowMs(), memo: paid, provider: payment.provider ?? '' };
      batch.post(disputePosting(about, { state, lines: disputeLines(before?.state, state) }));
      batch.tell(disputeEvents[state], payment.account, {
        ...{ payment: known, dispute: id, amount: of.amount, currency: of.currency },
      });
    },
  };
}

function isOver(before: DisputeState | undefined, after: DisputeState): boolean {
  return before === after || before === 'won' || (before === 'lost' && after === 'open');
}

function takenBack(state: DisputeState | undefined, amount: number): number {
  return state === 'open' || state === 'lost' ? amount : 0;
}

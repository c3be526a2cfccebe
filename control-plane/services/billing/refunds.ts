import type {
  PaymentProvider,
  ProviderRefund,
  RefundOutcome,
} from '../../../common/adapters/payments/port.ts';
import type { PaymentView } from '../../../common/contract/billing.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Batch } from './batch.ts';
import { refundEndedPosting, refundReturnedPosting } from './core/postings.ts';
import type { Desk } from './desk.ts';
import type { Disputes } from './disputes.ts';
import { movedBy } from './payments.ts';
import { ordered, type BillingRecords } from './records.ts';

/** Has the provider give back what is on its way back: asked again until it has said what became of it, and given once. */
export interface Refunds {
  /** Sends what is due until now. */
  run(): Promise<void>;
  /** What the provider has told of a refund. Errors: WEBHOOK_FOREIGN. */
  hear(batch: Batch, notice: { refund: string; outcome: RefundOutcome }): Promise<void>;
}

/** One that the provider has not done, or could not be asked for, is asked for again. */
const againMs = 3_600_000;
const pageLength = 50;

/** Opens the refunds; without a provider there are none. */
export function openRefunds(options: {
  records: BillingRecords;
  desk: Desk;
  provider: PaymentProvider | undefined;
  disputes: Pick<Disputes, 'hold'>;
  clock: Clock;
  log: Log;
}): Refunds {
  const { records, desk, provider, disputes, clock, log } = options;
  const { payments, refundsDue } = records;
  const conclude = async (batch: Batch, refund: PaymentView, outcome: RefundOutcome): Promise<void> => {
    const { state, ...view } = refund;
    const isDone = state === undefined;
    // Notices come twice. What is done may fail yet, days later; what is given up stays so.
    if (outcome.kind === 'pending' || state === 'failed' || (isDone && outcome.kind === 'done')) return;
    const { id, account, amount, currency } = view;
    const moved = { ...movedBy(view), atMs: clock.nowMs() };
    batch.post(isDone ? refundReturnedPosting(moved) : refundEndedPosting(moved, outcome.kind));
    if (outcome.kind === 'done') {
      batch.change(payments.putOperation(id, view));
      batch.tell('refund.made', account, { refund: id, amount, currency });
      return;
    }
    const paid = (await payments.get(view.payment ?? ''))?.value;
    assert(paid !== undefined, `refund ${id} is of a payment`);
    const { refunded = amount, ...rest } = paid;
    const left = refunded - amount;
    batch.change(
      payments.putOperation(id, { ...view, state: 'failed' }),
      payments.putOperation(paid.id, { ...rest, ...(left > 0 && { refunded: left }) }),
    );
    await disputes.hold(batch, paid, amount);
    batch.tell('refund.failed', account, { refund: id, amount, currency, reason: outcome.reason });
  };
  const give = async (by: PaymentProvider, key: string, id: string): Promise<void> => {
    // In turn: what is being booked is on the disk then. A refund that a power cut took back would be given, and asked for once more.
    const { refund, paid } = await desk.read(() => withPayment(records, id));
    assert(refund !== undefined && paid?.providerPayment !== undefined, `refund ${id} is of a payment`);
    const { amount, currency } = refund;
    const order = { refund: id, payment: paid.providerPayment, amount, currency };
    const isOut = refund.state === 'pending';
    const outcome: RefundOutcome = isOut ? await askFor(order, by, log) : { kind: 'pending' };
    await desk.book(async (batch) => {
      const now = (await payments.get(id))?.value;
      assert(now !== undefined, 'payments are never removed');
      await conclude(batch, now, outcome);
      batch.change(refundsDue.removeOperation(key));
      if (now.state === 'pending' && outcome.kind === 'pending')
        batch.change(refundsDue.putOperation(`${ordered(clock.nowMs() + againMs)}:${id}`, { id }));
    });
  };
  return {
    async run() {
      if (provider === undefined) return;
      for (;;) {
        const page = await refundsDue.scan({ limit: pageLength });
        const due = page.filter(({ key }) => Number(key.slice(0, 16)) <= clock.nowMs());
        if (due.length === 0) return;
        for (const { key, value } of due) await give(provider, key, value.id);
      }
    },
    async hear(batch, { refund: id, outcome }) {
      const refund = (await payments.get(id))?.value;
      if (refund?.kind !== 'refund' || refund.provider === undefined)
        throw coded('WEBHOOK_FOREIGN', `${id} is no refund that a provider was asked for here`);
      await conclude(batch, refund, outcome);
    },
  };
}

/** A refund, and what it gives back of. */
async function withPayment({ payments }: BillingRecords, id: string) {
  const refund = (await payments.get(id))?.value;
  return { refund, paid: (await payments.get(refund?.payment ?? ''))?.value };
}

async function askFor(order: ProviderRefund, by: PaymentProvider, log: Log): Promise<RefundOutcome> {
  try {
    return await by.refund(order);
  } catch (error) {
    log.warn({ err: error, refund: order.refund }, 'a refund could not be asked for; it is tried again');
    return { kind: 'pending' };
  }
}

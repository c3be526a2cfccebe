import type { PaymentProvider, ProviderNotice } from '../../../common/adapters/payments/port.ts';
import type { PaymentView } from '../../../common/contract/billing.ts';
import type { DisputeView, WaitingDispute } from '../../../common/contract/disputes.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Batch } from './batch.ts';
import { disputeEvents, disputeLines, heldFrom, isOver, takenBack } from './core/dispute.ts';
import { disputePosting } from './core/postings.ts';
import { creditedToAccount, type Invoices } from './invoices.ts';
import type { BillingRecords } from './records.ts';

type Told = Pick<ProviderNotice & { kind: 'dispute' }, 'dispute' | 'amount' | 'currency' | 'state'>;

/** What holders of cards have their banks take back: out of our cash while it is decided, and lost or ours again then. */
export interface Disputes {
  /**
   * What the provider has told of one. Notices come late, twice and in any order: what was decided against us may turn, what was won stays.
   * One of a payment that is not in the books waits for it.
   */
  hear(batch: Batch, notice: ProviderNotice & { kind: 'dispute' }): Promise<void>;
  /** Books with a payment, which the batch has just booked, what was told of it before. */
  catchUp(batch: Batch, payment: PaymentView): Promise<void>;
  /** Holds what of a payment could not be given back and is credit again in the same batch, as far as it is disputed. */
  hold(batch: Batch, payment: PaymentView, amount: number): Promise<void>;
  /** By the provider's id. */
  list(page: { after?: string | undefined; limit: number }): Promise<DisputeView[]>;
  /** Those of payments that are not in the books, which may be of something else that the same account of the provider sells. */
  waiting(): Promise<WaitingDispute[]>;
}

const waitingMax = 200;
/** A payment is in the books within days; for so long what was told of it before is kept. */
const waitingMs = 30 * 86_400_000;

/** Opens the disputes. */
export function openDisputes(options: {
  records: BillingRecords;
  invoices: Pick<Invoices, 'freeCreditOf'>;
  provider: PaymentProvider | undefined;
  clock: Clock;
  log: Log;
}): Disputes {
  return new KeptDisputes(options);
}

class KeptDisputes implements Disputes {
  readonly #options: Parameters<typeof openDisputes>[0];

  constructor(options: Parameters<typeof openDisputes>[0]) {
    this.#options = options;
  }

  async hear(batch: Batch, notice: ProviderNotice & { kind: 'dispute' }): Promise<void> {
    const { records, provider } = this.#options;
    const known = (await records.providerPayments.get(`${provider?.name ?? ''}:${notice.payment}`))?.value.id;
    if (known === undefined) {
      await this.#keep(batch, notice);
      return;
    }
    const payment = (await records.payments.get(known))?.value;
    assert(payment !== undefined, 'payments are never removed');
    await this.#book(batch, payment, { notices: [notice], fresh: 0 });
  }

  async catchUp(batch: Batch, payment: PaymentView): Promise<void> {
    const { disputesWaiting } = this.#options.records;
    const told = await disputesWaiting.scan({
      prefix: `${payment.providerPayment ?? ''}:`,
      limit: waitingMax,
    });
    if (told.length === 0) return;
    batch.change(...told.map(({ key }) => disputesWaiting.removeOperation(key)));
    // What of it is credit is not in the books yet.
    const fresh = payment.toCredit ?? 0;
    await this.#book(batch, payment, { notices: told.map(({ value }) => value), fresh });
  }

  async hold(batch: Batch, { id, account, disputed = 0 }: PaymentView, amount: number): Promise<void> {
    const { disputedOf } = this.#options.records;
    const known = (await disputedOf.get(`${account}:${id}`))?.value;
    if (known === undefined) return;
    const held = known.held + Math.min(amount, Math.max(0, disputed - known.held));
    batch.change(disputedOf.putOperation(`${account}:${id}`, { ...known, held }));
  }

  async list(page: { after?: string | undefined; limit: number }): Promise<DisputeView[]> {
    return (await this.#options.records.disputes.scan(page)).map(({ key, value }) => ({
      dispute: key,
      ...value,
    }));
  }

  async waiting(): Promise<WaitingDispute[]> {
    const { records, clock } = this.#options;
    return (await records.disputesWaiting.scan({ limit: waitingMax }))
      .map(({ value }) => value)
      .filter(({ toldAtMs }) => toldAtMs > clock.nowMs() - waitingMs);
  }

  async #book(
    batch: Batch,
    payment: PaymentView,
    { notices, fresh }: { notices: readonly Told[]; fresh: number },
  ): Promise<void> {
    const { records, clock } = this.#options;
    const { disputed: before = 0, ...rest } = payment;
    let disputed = before;
    for (const { dispute: id, amount, currency, state } of notices) {
      const known = (await records.disputes.get(id))?.value;
      if (isOver(known?.state, state)) continue;
      // What it is about does not change any more.
      const of = known ?? { payment: payment.id, amount, currency };
      // What another currency comes to only the bank knows: then all of the payment is in doubt.
      const part = of.currency === payment.currency ? of.amount : payment.amount;
      disputed += takenBack(state, part) - takenBack(known?.state, part);
      batch.change(records.disputes.putOperation(id, { ...of, state }));
      const { provider = '', providerPayment = '' } = payment;
      const about = { id, ...of, atMs: clock.nowMs(), memo: providerPayment, provider };
      batch.post(disputePosting(about, { state, lines: disputeLines(known?.state, state) }));
      batch.tell(disputeEvents[state], payment.account, {
        ...{ payment: payment.id, dispute: id, amount: of.amount, currency: of.currency },
      });
    }
    if (disputed === before) return;
    batch.change(records.payments.putOperation(payment.id, { ...rest, ...(disputed > 0 && { disputed }) }));
    await this.#hold(batch, payment, { before, disputed, fresh });
  }

  /** Holds of the account's credit what came of the payment, and stands. */
  async #hold(
    batch: Batch,
    payment: PaymentView,
    { before, disputed, fresh }: { before: number; disputed: number; fresh: number },
  ): Promise<void> {
    const { records, invoices } = this.#options;
    const { id, account, currency, invoice } = payment;
    const key = `${account}:${id}`;
    if (disputed === 0) {
      batch.change(records.disputedOf.removeOperation(key));
      return;
    }
    const held = (await records.disputedOf.get(key))?.value.held ?? 0;
    const of = invoice === undefined ? undefined : (await records.invoices.get(invoice))?.value;
    const toCredit = (payment.toCredit ?? 0) + (of === undefined ? 0 : creditedToAccount(of));
    const free = await invoices.freeCreditOf(account, currency, { amount: fresh, spent: 0 });
    const now = heldFrom({ before, disputed, held, toCredit }, free);
    batch.change(records.disputedOf.putOperation(key, { payment: id, currency, held: now }));
  }

  /** Until its payment comes; where too many wait, the oldest goes. */
  async #keep(
    batch: Batch,
    { dispute, payment, amount, currency, state }: ProviderNotice & { kind: 'dispute' },
  ): Promise<void> {
    const { records, clock, log } = this.#options;
    const { disputesWaiting } = records;
    const key = `${payment}:${dispute}`;
    const waiting = await disputesWaiting.scan({ limit: waitingMax });
    const known = waiting.find((one) => one.key === key)?.value;
    if (isOver(known?.state, state)) return;
    const [oldest] = waiting.toSorted((one, other) => one.value.toldAtMs - other.value.toldAtMs);
    const nowMs = clock.nowMs();
    const isFull = waiting.length >= waitingMax && known === undefined;
    const gone = waiting.filter(
      (one) => one.value.toldAtMs <= nowMs - waitingMs || (isFull && one === oldest),
    );
    batch.change(...gone.map((one) => disputesWaiting.removeOperation(one.key)));
    const of = known ?? { dispute, payment, amount, currency, toldAtMs: nowMs };
    batch.change(disputesWaiting.putOperation(key, { ...of, state }));
    log.warn(
      { dispute, payment },
      'a payment is disputed that is not in the books; it waits for the payment',
    );
  }
}

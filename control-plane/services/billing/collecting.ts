import type {
  ChargeOutcome,
  PaymentProvider,
  ProviderNotice,
} from '../../../common/adapters/payments/port.ts';
import type { CollectionView, InvoicePaper } from '../../../common/contract/billing.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Batch } from './batch.ts';
import { nextAttemptMs, unreachedWaitMs } from './core/dunning.ts';
import type { Desk } from './desk.ts';
import type { Invoices } from './invoices.ts';
import type { Payments } from './payments.ts';
import { ordered, type BillingRecords, type CollectionRecord } from './records.ts';
import type { Subscriptions } from './subscriptions.ts';

/**
 * Has invoices paid by the provider. What is sent is written down before, so that after a crash it is asked for again and done once; what
 * fails is tried again by the calendar (dunning) until the subscription ends for it.
 */
export interface Collecting {
  /** Has an invoice paid, where its account has said how. */
  begin(batch: Batch, invoice: Pick<InvoicePaper, 'id' | 'account'>): Promise<void>;
  /** Tries what an account owes at once: it has a new way of paying. */
  retryAll(batch: Batch, account: string): Promise<void>;
  /** Tries an invoice at once. Errors: INVOICE_UNKNOWN, PAYMENTS_OFF, PAYMENT_METHOD_MISSING, AMOUNT_INVALID (nothing is open). */
  retry(batch: Batch, invoice: string): Promise<CollectionView>;
  /** What the provider has told of a charge. Errors: WEBHOOK_FOREIGN. */
  hear(batch: Batch, notice: ProviderNotice & { kind: 'charge' }): Promise<void>;
  /** Sends what is due until now. */
  run(): Promise<void>;
  /** By invoice. */
  list(page: { after?: string | undefined; limit: number }): Promise<CollectionView[]>;
}

export interface CollectingOptions {
  records: BillingRecords;
  desk: Desk;
  invoices: Invoices;
  payments: () => Payments;
  subscriptions: () => Subscriptions;
  provider: PaymentProvider | undefined;
  clock: Clock;
  log: Log;
}

/** So many are asked of the provider at a time. */
const atOnce = 8;
/** Of an account, the newest hardly ever behind so many: what is unpaid of an old one is given up within weeks. */
const subscriptionsMax = 1000;
/** A payment that the provider has not told of is asked for after so long. */
const pendingWaitMs = 86_400_000;

/** Opens it; without a provider nothing is collected. */
export function openCollecting(options: CollectingOptions): Collecting {
  return new ProviderCollecting(options);
}

class ProviderCollecting implements Collecting {
  readonly #options: CollectingOptions;

  constructor(options: CollectingOptions) {
    this.#options = options;
  }

  async begin(batch: Batch, { id, account }: Pick<InvoicePaper, 'id' | 'account'>): Promise<void> {
    if (!(await this.#canPay(account))) return;
    this.#store(batch, undefined, {
      ...{ invoice: id, account, state: 'due', attempt: 0, nextAtMs: this.#options.clock.nowMs() },
    });
  }

  async retryAll(batch: Batch, account: string): Promise<void> {
    // Of one that has ended too: its last usage is invoiced then.
    const held = await this.#options.subscriptions().list({ account, limit: subscriptionsMax });
    for (const { unpaid } of held)
      for (const invoice of unpaid) await this.#dueNow(batch, { invoice, account });
  }

  async retry(batch: Batch, invoice: string): Promise<CollectionView> {
    const { account, open } = await this.#options.invoices.view(invoice);
    if (this.#options.provider === undefined) throw coded('PAYMENTS_OFF', 'payments are recorded by hand');
    if (!(await this.#canPay(account))) throw coded('PAYMENT_METHOD_MISSING', account);
    if (open === 0) throw coded('AMOUNT_INVALID', 'nothing of the invoice is open');
    return viewOf(await this.#dueNow(batch, { invoice, account }));
  }

  async hear(batch: Batch, { asked, outcome }: ProviderNotice & { kind: 'charge' }): Promise<void> {
    const record = (await this.#options.records.collections.get(asked.invoice))?.value;
    if (record?.account !== asked.account)
      throw coded('WEBHOOK_FOREIGN', `${asked.invoice} was not asked of ${asked.account} here`);
    // Of an attempt that was booked as failed only money is news.
    if (outcome.kind !== 'paid' && (sendingOf(record) !== asked.attempt || !isOut(record))) return;
    await this.#conclude(batch, record, outcome);
  }

  async run(): Promise<void> {
    const { records, clock, provider } = this.#options;
    if (provider === undefined) return;
    for (;;) {
      const page = await records.collectionsDue.scan({ limit: atOnce });
      const due = page.filter(({ key }) => Number(key.slice(0, 16)) <= clock.nowMs());
      if (due.length === 0) return;
      await Promise.all(due.map(({ value }) => this.#collect(provider, value.id)));
    }
  }

  async list(page: { after?: string | undefined; limit: number }): Promise<CollectionView[]> {
    return (await this.#options.records.collections.scan(page)).map(({ value }) => viewOf(value));
  }

  /** One that is due: sent, then booked as the provider says. */
  async #collect(provider: PaymentProvider, invoice: string): Promise<void> {
    const { desk, log } = this.#options;
    const begun = await desk.book((batch) => this.#send(batch, { provider, invoice }));
    if (begun?.record.sent === undefined) return;
    const { record, isRepeat } = begun;
    const { account, sent } = { ...record, sent: begun.record.sent };
    const attempt = sendingOf(record);
    try {
      const outcome = await provider.charge({ invoice, account, attempt, ...sent }, { isRepeat });
      if (outcome.kind === 'too-small') {
        await desk.book((batch) => this.#giveUp(batch, { invoice, attempt }));
        return;
      }
      if (outcome.kind === 'refused') {
        // It waits for somebody who mends it.
        log.error(
          { invoice, reason: outcome.reason },
          'the provider refuses to be asked for a payment; it is tried again',
        );
        await desk.book((batch) => this.#postpone(batch, { invoice, attempt }, outcome.reason));
        return;
      }
      await desk.book(async (batch) => {
        const now = (await this.#options.records.collections.get(invoice))?.value;
        // A notice may have been quicker.
        const isNews = now !== undefined && sendingOf(now) === attempt && isOut(now);
        // Money that has come is booked whatever else has happened meanwhile.
        if (isNews || outcome.kind === 'paid') await this.#conclude(batch, now ?? record, outcome);
      });
    } catch (error) {
      const level = isCoded(error, 'PROVIDER_REFUSED') ? 'error' : 'warn';
      log[level]({ err: error, invoice }, 'a payment could not be asked for; it is tried again');
      await desk.book((batch) => this.#postpone(batch, { invoice, attempt }, undefined));
    }
  }

  /** Writes down what is sent; undefined where there is nothing to send any more. */
  async #send(
    batch: Batch,
    { provider, invoice }: { provider: PaymentProvider; invoice: string },
  ): Promise<{ record: CollectionRecord; isRepeat: boolean } | undefined> {
    const { records, invoices, clock } = this.#options;
    const before = (await records.collections.get(invoice))?.value;
    if (before?.nextAtMs === undefined) return undefined;
    if (isOut(before)) return { record: before, isRepeat: true };
    const { open, currency } = await invoices.view(invoice);
    const payer = (await records.payers.get(before.account))?.value;
    if (open === 0 || payer?.method === undefined) {
      const { nextAtMs: _due, ...rest } = before;
      this.#store(batch, before, { ...rest, state: open === 0 ? 'ended' : 'failed' });
      return undefined;
    }
    const amount = provider.takes(open, currency);
    if (amount === 0) {
      await this.#waive(batch, before);
      return undefined;
    }
    if (amount < open) await invoices.waive(batch, invoice, { left: amount, nowMs: clock.nowMs() });
    const sent = { customer: payer.customer, method: payer.method, amount, currency };
    const record = { ...before, state: 'sent' as const, sent };
    this.#store(batch, before, record);
    return { record, isRepeat: false };
  }

  /** What was sent is less than the provider takes. */
  async #giveUp(batch: Batch, { invoice, attempt }: { invoice: string; attempt: number }): Promise<void> {
    const before = (await this.#options.records.collections.get(invoice))?.value;
    if (before === undefined || !isOut(before) || sendingOf(before) !== attempt) return;
    await this.#waive(batch, before);
  }

  /** All that is open is too little to be asked for: nobody is to lose a subscription by it. */
  async #waive(batch: Batch, before: CollectionRecord): Promise<void> {
    const { invoices, subscriptions, clock, log } = this.#options;
    const { nextAtMs: _due, sent: _sent, unreached: _unreached, ...record } = before;
    this.#store(batch, before, { ...record, state: 'ended' });
    log.warn({ invoice: record.invoice }, 'what is open of an invoice is less than the provider takes; it is given up'); // prettier-ignore
    await invoices.waive(batch, record.invoice, { left: 0, nowMs: clock.nowMs() });
    const { subscription } = await invoices.view(record.invoice);
    await subscriptions().settle(batch, subscription, record.invoice);
  }

  async #conclude(batch: Batch, before: CollectionRecord, outcome: ChargeOutcome): Promise<void> {
    const { clock, invoices, provider, subscriptions } = this.#options;
    const { nextAtMs: _due, sent, unreached: _unreached, ...record } = before;
    const { invoice, account, attempt } = record;
    switch (outcome.kind) {
      case 'pending':
        this.#store(batch, before, {
          ...{ ...record, ...(sent && { sent }), state: 'pending' },
          nextAtMs: clock.nowMs() + pendingWaitMs,
        });
        return;
      case 'paid':
        this.#store(batch, before, { ...record, state: 'paid' });
        await this.#options
          .payments()
          .receive(batch, { ...outcome, provider: provider?.name ?? '', invoice });
        return;
      case 'failed': {
        const { subscription, currency, open } = await invoices.view(invoice);
        const { timeZone } = await subscriptions().view(subscription);
        const failed = { attempt, isFinal: outcome.isFinal, atMs: clock.nowMs() };
        const nextAtMs = nextAttemptMs(failed, timeZone);
        const { reason } = outcome;
        const after = { ...record, attempt: attempt + 1, reason };
        this.#store(batch, before, {
          ...after,
          ...(nextAtMs === undefined ? { state: 'failed' } : { state: 'due', nextAtMs }),
        });
        batch.tell('payment.failed', account, { invoice, amount: open, currency, reason, attempt, nextAtMs });
      }
    }
  }

  /** The provider could not be asked: the same again, later; or, where it has refused to do it, what there is to pay then. */
  async #postpone(
    batch: Batch,
    { invoice, attempt }: { invoice: string; attempt: number },
    refused: string | undefined,
  ): Promise<void> {
    const { records, clock } = this.#options;
    const before = (await records.collections.get(invoice))?.value;
    if (before === undefined || !isOut(before) || sendingOf(before) !== attempt) return;
    const unreached = (before.unreached ?? 0) + 1;
    const waiting = { ...before, unreached, nextAtMs: clock.nowMs() + unreachedWaitMs(unreached) };
    if (refused === undefined) {
      this.#store(batch, before, waiting);
      return;
    }
    const { sent: _refused, ...rest } = waiting;
    const refusals = (before.refusals ?? 0) + 1;
    this.#store(batch, before, { ...rest, refusals, state: 'due', reason: refused });
  }

  async #dueNow(
    batch: Batch,
    { invoice, account }: { invoice: string; account: string },
  ): Promise<CollectionRecord> {
    const { records, clock } = this.#options;
    const before = (await records.collections.get(invoice))?.value;
    // What is out may be paid yet.
    if (before !== undefined && isOut(before)) return before;
    const { attempt = 0, refusals } = before ?? {};
    const after = {
      ...{ invoice, account, state: 'due' as const, attempt, nextAtMs: clock.nowMs() },
      ...(refusals !== undefined && { refusals }),
    };
    this.#store(batch, before, after);
    return after;
  }

  async #canPay(account: string): Promise<boolean> {
    const { records, provider } = this.#options;
    return provider !== undefined && (await records.payers.get(account))?.value.method !== undefined;
  }

  #store(batch: Batch, before: CollectionRecord | undefined, after: CollectionRecord): void {
    const { collections, collectionsDue } = this.#options.records;
    const { invoice } = after;
    const keyOf = (atMs: number) => `${ordered(atMs)}:${invoice}`;
    batch.change(collections.putOperation(invoice, after));
    if (before?.nextAtMs !== undefined) batch.change(collectionsDue.removeOperation(keyOf(before.nextAtMs)));
    if (after.nextAtMs !== undefined)
      batch.change(collectionsDue.putOperation(keyOf(after.nextAtMs), { id: invoice }));
  }
}

/** Which sending this is or will be: the provider knows them apart by it. */
function sendingOf({ attempt, refusals = 0 }: CollectionRecord): number {
  return attempt + refusals;
}

/** Whether the provider may have it. */
function isOut({ state }: CollectionRecord): boolean {
  return state === 'sent' || state === 'pending';
}

function viewOf(record: CollectionRecord): CollectionView {
  const { sent: _sent, unreached: _unreached, refusals: _refusals, ...view } = record;
  return view;
}

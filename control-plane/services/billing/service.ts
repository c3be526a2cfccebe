import type { PaymentProvider } from '../../../common/adapters/payments/port.ts';
import type { Books, BooksProof } from '../../../common/adapters/records/port.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { FollowedLog } from '../log-follower.ts';
import type { PersonalData } from '../personal-data.ts';
import { verifyAccounts } from './accounts-verify.ts';
import type { Batch } from './batch.ts';
import { openCollecting, type Collecting } from './collecting.ts';
import { openDesk, type Ask } from './desk.ts';
import { verifyDocuments } from './documents-verify.ts';
import { cacheEntitlements, type EntitlementsCache } from './entitlements.ts';
import { openErased, type Erased } from './erased.ts';
import { openDisputes, type Disputes } from './disputes.ts';
import { openDue } from './due.ts';
import { openInvoices, type Invoices } from './invoices.ts';
import { openMetered, type Metered } from './metered.ts';
import { openNotices, type Notices } from './notices.ts';
import { openOffers, type Offers } from './offers.ts';
import { openOlderLists } from './older-lists.ts';
import { openPayers, type Payers } from './payers.ts';
import { openPayments, type Payments } from './payments.ts';
import { openPlayed, type Played } from './played.ts';
import { openBillingRecords } from './records.ts';
import { personalBilling } from './personal.ts';
import { openPrepayments, type Prepayments } from './prepayments.ts';
import { openRefunds } from './refunds.ts';
import { openReports, type Reports } from './reports.ts';
import { openSubscriptions, type Subscriptions } from './subscriptions.ts';
import { openUsage, type Usage } from './usage.ts';
import { verifyUsage } from './usage-verify.ts';
import { openWebhooks, type PostWebhook, type Webhooks } from './webhooks.ts';

export interface BillingOptions {
  books: Books;
  clock: Clock;
  chance: Chance;
  log: Log;
  /** Who takes money from cards; payments are recorded by hand where there is none. */
  provider?: PaymentProvider | undefined;
  post: PostWebhook;
  /** The event log, wherever it is kept. */
  events: FollowedLog;
}

/** Plans, subscriptions, invoices and payments, over one set of books. */
export interface Billing {
  offers: Offers;
  subscriptions: Subscriptions;
  invoices: Invoices;
  payments: Payments;
  entitlements: EntitlementsCache;
  collecting: Collecting;
  payers: Payers;
  notices: Notices;
  webhooks: Webhooks;
  prepayments: Prepayments;
  disputes: Disputes;
  usage: Usage;
  /** What sessions play. */
  played: Played;
  metered: Pick<Metered, 'due'>;
  reports: Reports;
  /** What it knows of people. */
  personal: PersonalData;
  ledger: Pick<Books, 'balances' | 'transactions'>;
  /**
   * Does what moves money once for its key. What time has changed of a subscription that it is about is booked before. Errors beside
   * those of `decide`: IDEMPOTENCY_KEY_REUSED.
   */
  once<T extends object>(
    ask: Ask & { subscription?: string },
    decide: (batch: Batch) => Promise<T>,
  ): Promise<T>;
  /** What would have to be paid at once for what `decide` decides, as of when; nothing is booked. Errors: those of `decide`. */
  quote(
    subscription: string,
    decide: (batch: Batch) => Promise<unknown>,
  ): Promise<{ owed: number; atMs: number }>;
  /** Books what time has changed until now: trials and periods that end, payments that are late. */
  bookDue(): Promise<void>;
  /** Has the provider do what it is to do: payments that are due, refunds. */
  settleDue(): Promise<void>;
  /** Counts the books again. */
  verify(): Promise<BooksProof>;
  /** Books, collects and tells what is due as time passes, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

const watchEveryMs = 5000;
/** So many faults are told of what is verified. */
const faultsMax = 100;

/** Opens billing over its books. */
export function createBilling(options: BillingOptions): Billing {
  const { books, clock, chance, log, provider, post } = options;
  const records = openBillingRecords(books);
  const entitlements = cacheEntitlements({ subscriptions: () => subscriptions, offers: () => offers });
  const webhooks = openWebhooks({ records, desk: () => desk, clock, chance, log, post });
  const desk = openDesk({
    ...{ records, clock, enclose: (batch) => webhooks.enclose(batch) },
    booked: (accounts) => entitlements.forget(accounts),
  });
  const offers = openOffers({ records, desk, provider, plansChanged: () => entitlements.forget() });
  const invoices = openInvoices({
    ...{ records, chance },
    collect: (batch, invoice) => collecting.begin(batch, invoice),
  });
  const metered = openMetered({ records, invoices, provider, clock });
  const erased = openErased({ records, clock });
  const subscriptions = openSubscriptions({ records, invoices, metered, erased, clock, chance });
  const disputes = openDisputes({ records, invoices, provider, clock, log });
  const payments = openPayments({ records, invoices, subscriptions, disputes, clock, chance });
  const collecting = openCollecting({
    ...{ records, desk, invoices, provider, clock, log },
    ...{ payments: () => payments, subscriptions: () => subscriptions },
  });
  const payers = openPayers({ records, desk, provider, erased });
  const prepayments = openPrepayments({
    ...{ records, desk, payers, payments, invoices, provider, clock, log },
  });
  const refunds = openRefunds({ records, desk, provider, disputes, clock, log });
  const notices = openNotices({
    ...{ desk, provider, payers, collecting, prepayments, refunds, disputes, clock },
  });

  const { bookDue, catchUp } = openDue({ records, desk, subscriptions, clock, log });
  const settleDue = () => eachOf(...[collecting, prepayments, refunds].map((one) => () => one.run()));
  const { usage, played, forget } = openCounting(options, { records, desk, metered, erased, catchUp });
  const reports = openReports({ records, clock });
  const listOlder = openOlderLists({ records, desk });
  const once: Billing['once'] = async ({ subscription, ...ask }, decide) => {
    if (subscription !== undefined) await catchUp(subscription);
    return desk.once(ask, decide);
  };

  return {
    ...{ offers, subscriptions, invoices, payments, entitlements, ledger: books, bookDue, settleDue },
    ...{ collecting, payers, notices, webhooks, prepayments, disputes },
    ...{ usage, played, reports, metered },
    async quote(subscription, decide) {
      await catchUp(subscription);
      return desk.quote(decide);
    },
    once,
    personal: personalBilling(
      {
        ...{ subscriptions, invoices, payments, ledger: books, payers, listOlder },
        ...{ usage, played, desk, erased, once },
      },
      () => books.purge(),
    ),
    verify: () => verifyAll({ records, invoices, desk, listOlder }),
    watch: (signal) =>
      watchAll(options, signal, {
        webhooks,
        settleDue,
        bookAll: () => eachOf(bookDue, listOlder, forget),
      }),
  };
}

/** What accounts use, told and counted here, and what forgets what is old. */
function openCounting(
  { events, clock, chance, log }: BillingOptions,
  parts: Omit<Parameters<typeof openUsage>[0], 'clock'> & { erased: Pick<Erased, 'forget'> },
) {
  const { records, desk, erased } = parts;
  const usage = openUsage({ ...parts, clock });
  const played = openPlayed({ records, desk, usage, events, clock, chance, log });
  const forgetErased = () => desk.book((batch) => erased.forget(batch));
  const forget = () =>
    eachOf(
      () => desk.forgetAnswers(),
      () => played.forget(),
      () => usage.forget(),
      forgetErased,
    );
  return { usage, played, forget };
}

/** One after the other. */
async function eachOf(...works: readonly (() => Promise<void>)[]): Promise<void> {
  for (const work of works) await work();
}

/** Works on what is due until the signal is aborted. */
async function watchAll(
  options: BillingOptions,
  signal: AbortSignal,
  work: { webhooks: Webhooks; settleDue: () => Promise<void>; bookAll: () => Promise<void> },
): Promise<void> {
  const { webhooks, settleDue, bookAll } = work;
  await Promise.all([
    again(options, { signal, work: bookAll, failure: 'what is due could not be booked' }),
    again(options, { signal, work: settleDue, failure: 'what the provider is to do is not done' }),
    again(options, { signal, work: () => webhooks.begin(signal), failure: 'webhooks could not be sent' }),
  ]);
  await webhooks.ended();
}

async function verifyAll({
  listOlder,
  ...options
}: Parameters<typeof verifyAccounts>[0] & { listOlder: () => Promise<void> }): Promise<BooksProof> {
  await listOlder();
  const proof = await options.records.books.verify();
  const faults = [...proof.faults];
  for (const verify of [verifyAccounts, verifyDocuments, verifyUsage])
    faults.push(...(await verify(options)));
  return { ...proof, faults: faults.slice(0, faultsMax) };
}

/** Works every few seconds until the signal is aborted; what fails is tried again. */
async function again(
  { clock, log }: Pick<BillingOptions, 'clock' | 'log'>,
  { signal, work, failure }: { signal: AbortSignal; work: () => Promise<void>; failure: string },
): Promise<void> {
  while (!signal.aborted) {
    await work().catch((error: unknown) => {
      log.error({ err: error }, `${failure}; it is tried again`);
    });
    await clock.sleep(watchEveryMs, { signal }).catch(() => undefined);
  }
}

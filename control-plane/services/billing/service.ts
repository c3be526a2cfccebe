import type { Books, BooksProof } from '../../../common/adapters/records/port.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Batch } from './batch.ts';
import { openDesk, type Ask } from './desk.ts';
import { cacheEntitlements, type EntitlementsCache } from './entitlements.ts';
import { openInvoices, type Invoices } from './invoices.ts';
import { openOffers, type Offers } from './offers.ts';
import { openPayments, type Payments } from './payments.ts';
import { openBillingRecords } from './records.ts';
import { openSubscriptions, type Subscriptions } from './subscriptions.ts';

export interface BillingOptions {
  books: Books;
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** Plans, subscriptions, invoices and payments, over one set of books. */
export interface Billing {
  offers: Offers;
  subscriptions: Subscriptions;
  invoices: Invoices;
  payments: Payments;
  entitlements: EntitlementsCache;
  ledger: Pick<Books, 'balances' | 'transactions'>;
  /**
   * Does what moves money once for its key. What time has changed of a subscription that it is about is booked before. Errors beside
   * those of `decide`: IDEMPOTENCY_KEY_REUSED.
   */
  once<T extends object>(
    ask: Ask & { subscription?: string },
    decide: (batch: Batch) => Promise<T>,
  ): Promise<T>;
  /** Books what time has changed until now: trials and periods that end, payments that are late. */
  bookDue(): Promise<void>;
  /** Counts the books again. */
  verify(): Promise<BooksProof>;
  /** Books what is due as time passes, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

const watchEveryMs = 5000;
/** Subscriptions that are booked in one commit. */
const batchLength = 200;
/** No subscription has more steps behind it: so many weeks are twenty years. */
const stepsMax = 1000;

/** Opens billing over its books. */
export function createBilling({ books, clock, chance, log }: BillingOptions): Billing {
  const records = openBillingRecords(books);
  const entitlements = cacheEntitlements({ subscriptions: () => subscriptions, offers: () => offers });
  const desk = openDesk({ records, clock, booked: (accounts) => entitlements.forget(accounts) });
  const offers = openOffers({ records, desk, plansChanged: () => entitlements.forget() });
  const invoices = openInvoices({ records, chance });
  const subscriptions = openSubscriptions({ records, invoices, clock, chance });
  const payments = openPayments({ records, invoices, subscriptions, clock, chance });

  /** What is due and has not failed before. */
  const dueNow = async (failed: ReadonlySet<string>): Promise<string[]> => {
    const page = await records.due.scan({ limit: batchLength + failed.size });
    const isDue = page.filter(({ key }) => Number(key.slice(0, 16)) <= clock.nowMs());
    return isDue.map(({ value }) => value.id).filter((id) => !failed.has(id));
  };
  const advanceAll = (ids: readonly string[]): Promise<void> =>
    desk.book(async (batch) => {
      for (const id of ids) await subscriptions.advance(batch, id);
    });
  const bookDue = async (): Promise<void> => {
    const failed = new Set<string>();
    for (let ids = await dueNow(failed); ids.length > 0; ids = await dueNow(failed)) {
      const isBooked = await advanceAll(ids).then(
        () => true,
        () => false,
      );
      // One that cannot be booked must not hold the others.
      for (const id of isBooked ? [] : ids)
        await advanceAll([id]).catch((error: unknown) => {
          log.error({ err: error, subscription: id }, 'what is due of a subscription could not be booked');
          failed.add(id);
        });
    }
  };
  const catchUp = async (id: string): Promise<void> => {
    for (let step = 0; step < stepsMax; step++)
      if (!(await desk.book((batch) => subscriptions.advance(batch, id)))) return;
    assert(false, `subscription ${id} does not come to the present`);
  };

  return {
    ...{ offers, subscriptions, invoices, payments, entitlements, ledger: books, bookDue },
    async once({ subscription, ...ask }, decide) {
      if (subscription !== undefined) await catchUp(subscription);
      return desk.once(ask, decide);
    },
    verify: () => books.verify(),
    async watch(signal) {
      while (!signal.aborted) {
        await bookDue()
          .then(() => desk.forgetAnswers())
          .catch((error: unknown) => {
            log.error({ err: error }, 'what is due could not be booked; it is tried again');
          });
        await clock.sleep(watchEveryMs, { signal }).catch(() => undefined);
      }
    },
  };
}

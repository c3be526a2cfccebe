import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBooks } from '../../../common/adapters/records/open.ts';
import type { Books } from '../../../common/adapters/records/port.ts';
import type { WalSyncOptions } from '../../../common/adapters/shared/wal-sync.ts';
import type { PlanRequest, SubscriptionRequest, TaxTable } from '../../../common/contract/billing.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock, type ManualClock } from '../../../common/runtime/manual-clock.ts';
import {
  createBilling,
  type Billing,
  type BillingOptions,
} from '../../../control-plane/services/billing/service.ts';
import { onLost } from '../../support/on-lost.ts';

/** Billing over real books in a file, with a clock that is moved by hand. */
export interface BillingLab {
  readonly billing: Billing;
  readonly books: Books;
  readonly clock: ManualClock;
  /** Moves the clock, and books and collects what is due meanwhile, at its time to six hours. */
  pass(ms: number): Promise<void>;
}

export const dayMs = 86_400_000;

const noLog = () => Promise.reject(new Error('there is no event log'));

/** Says nothing, and reaches nobody. */
export const quiet = {
  log: createSilentLog(),
  post: () => Promise.reject(new Error('nobody listens')),
  events: { read: noLog, wait: noLog, end: noLog, commit: noLog },
} as const;

export async function openBillingLab(
  t: { teardown(done: () => Promise<unknown>): unknown },
  {
    startMs,
    seed = 1,
    openLog,
    ...more
  }: { startMs: number; seed?: number } & Partial<Pick<BillingOptions, 'provider' | 'post' | 'events'>> &
    Pick<WalSyncOptions, 'openLog'>,
): Promise<BillingLab> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-billing-'));
  const books = await openBooks(`sqlite://${join(directory, 'billing.db')}`, { onLost, openLog });
  t.teardown(async () => {
    await books.close();
    await rm(directory, { recursive: true, force: true });
  });
  const clock = createManualClock({ nowMs: startMs });
  const billing = createBilling({ ...quiet, ...more, books, clock, chance: createSeededChance(seed) });
  return {
    ...{ billing, books, clock },
    async pass(ms) {
      const endMs = clock.nowMs() + ms;
      while (clock.nowMs() < endMs) {
        await clock.advance(Math.min(dayMs / 4, endMs - clock.nowMs()));
        await billing.bookDue();
        await billing.settleDue();
      }
    },
  };
}

/** A plan with prices in euros (taxes included), dollars (without) and yen, by the month, and by the year in euros. */
export function planOf(euros: number, more: Partial<PlanRequest> = {}): PlanRequest {
  const month = { unit: 'month', count: 1 } as const;
  return {
    name: 'A plan',
    entitlements: { heightMax: 1080, streamsMax: 2, downloads: false },
    prices: [
      { currency: 'EUR', amount: euros, interval: month, taxInclusive: true },
      { currency: 'EUR', amount: euros * 10, interval: { unit: 'year', count: 1 }, taxInclusive: true },
      { currency: 'USD', amount: euros, interval: month, taxInclusive: false },
      { currency: 'JPY', amount: euros * 2, interval: month, taxInclusive: true },
      { currency: 'KWD', amount: euros * 3, interval: month, taxInclusive: false },
    ],
    ...{ trialDays: 0, archived: false, ...more },
  };
}

/** German VAT, and the two taxes of Quebec. */
export const taxTable: TaxTable = {
  rows: [
    { country: 'DE', validFromMs: 0, taxes: [{ name: 'VAT', ratePpm: 190_000 }] },
    {
      ...{ country: 'CA', region: 'QC', validFromMs: 0 },
      taxes: [
        { name: 'GST', ratePpm: 50_000 },
        { name: 'QST', ratePpm: 99_750 },
      ],
    },
  ],
};

export function subscriptionOf(
  account: string,
  more: Partial<SubscriptionRequest> = {},
): SubscriptionRequest {
  return { account, plan: 'basic', currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin', ...more };
}

/**
 * Counts everything again from the invoices and credit notes, independently of how it was booked: what accounts owe and are owed, revenue,
 * taxes. What does not agree with the ledger, a sentence each.
 */
export async function auditBilling({
  billing,
  books,
}: Pick<BillingLab, 'billing' | 'books'>): Promise<string[]> {
  const wanted = new Map<string, number>();
  const add = (account: string, currency: string, amount: number): void => {
    const key = `${account} ${currency}`;
    wanted.set(key, (wanted.get(key) ?? 0) + amount);
  };
  const faults: string[] = [];
  let after = 0;
  for (;;) {
    const page = await billing.invoices.list({ after, limit: 500 });
    for (const { number, currency, account, net, taxes, gross, open, paid, status, ...rest } of page) {
      if (number !== after + 1) faults.push(`invoice ${number} comes after ${after}`);
      after = number;
      const { creditApplied, credited, amount, discounts, base } = rest;
      if (amount - discounts.reduce((sum, one) => sum + one.amount, 0) !== base)
        faults.push(`invoice ${number}: base`);
      if (net + taxes.reduce((sum, one) => sum + one.amount, 0) !== gross)
        faults.push(`invoice ${number}: gross`);
      if (open < 0 || credited > gross || paid + creditApplied > gross)
        faults.push(`invoice ${number}: open ${open}`);
      if (status !== 'uncollectible' && open > 0 !== (status === 'open'))
        faults.push(`invoice ${number} is ${status}`);
      add('receivable', currency, open);
      add(`receivable:${account}`, currency, open);
      add('income', currency, -net);
      add('tax', currency, net - gross);
    }
    if (page.length < 500) break;
  }
  after = 0;
  for (;;) {
    const page = await books.papers('credit-note', { after });
    for (const { number, value } of page) {
      const { currency, net, gross } = value as { currency: string; net: number; gross: number };
      after = number;
      add('income', currency, net);
      add('tax', currency, gross - net);
    }
    if (page.length < 1000) break;
  }
  const kept = new Map<string, number>();
  let from: string | undefined;
  do {
    const balances = await books.balances({ after: from });
    for (const { account, currency, amount } of balances) {
      const [kind = ''] = account.split(':');
      if (kind === 'credit' && amount > 0)
        faults.push(`${account} has ${amount} ${currency}: more used than there was`);
      const sum = (name: string) =>
        kept.set(`${name} ${currency}`, (kept.get(`${name} ${currency}`) ?? 0) + amount);
      if (kind === 'receivable') sum(account);
      if (kind === 'receivable' || kind === 'tax') sum(kind);
      if (kind === 'revenue') sum('income');
    }
    from = balances.at(-1)?.account;
  } while (from !== undefined);
  for (const key of new Set([...wanted.keys(), ...kept.keys()])) {
    const [said = 0, found = 0] = [wanted.get(key), kept.get(key)];
    if (said !== found) faults.push(`${key}: the papers say ${said}, the ledger ${found}`);
  }
  return [...faults, ...(await billing.verify()).faults];
}

/** What is sold in lives of subscribers, and where they live. */
export const plansSold = ['basic', 'premium', 'family'] as const;
export const placesSold = [
  { currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin' },
  { currency: 'USD', country: 'CA', region: 'QC', timeZone: 'America/Toronto' },
  { currency: 'JPY', country: 'JP', timeZone: 'Asia/Tokyo' },
  { currency: 'KWD', country: 'KW', timeZone: 'Asia/Kuwait' },
  { currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin', unit: 'year' },
] as const;

/**
 * Sells them: of basic minutes are charged beyond a hundred (three quarters of a minor unit, a half beyond four hundred more), of premium beyond
 * three hundred (a minor unit), of the family's none.
 */
export async function sellPlans(offers: Billing['offers']): Promise<void> {
  const minutes = { metric: 'minutes', name: 'Minutes watched', unit: 'min', per: 1 };
  const meters = [
    [{ ...minutes, included: 100, tiers: [{ upTo: 400, price: '0.75' }, { price: '0.5' }] }],
    [{ ...minutes, included: 300, tiers: [{ price: '1' }] }],
  ];
  for (const [index, id] of plansSold.entries()) {
    const plan = planOf([999, 1999, 1337][index] ?? 1, { trialDays: [14, 0, 3][index] ?? 0 });
    const used = meters[index] && { meters: meters[index] };
    const prices = plan.prices.map((price) => ({ ...price, ...used }));
    await offers.putPlan(id, { ...plan, prices });
  }
}

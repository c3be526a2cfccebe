import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProviderNotice } from '../../common/adapters/payments/port.ts';
import { openBooks } from '../../common/adapters/records/open.ts';
import type { Books } from '../../common/adapters/records/port.ts';
import type { InvoiceView, SubscriptionView } from '../../common/contract/billing.ts';
import { createSeededChance } from '../../common/runtime/chance.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import { createManualClock, type ManualClock } from '../../common/runtime/manual-clock.ts';
import { createBilling, type Billing } from '../../control-plane/services/billing/service.ts';
import {
  auditBilling,
  dayMs,
  placesSold,
  plansSold,
  quiet,
  sellPlans,
  subscriptionOf,
  taxTable,
} from '../control-plane/support/billing-lab.ts';
import { openBank, type Bank } from './billing-bank.ts';
import { recount, type Act, type Bill } from './billing-recount.ts';
import type { ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';
import { onLost } from './on-lost.ts';

const startMs = Date.UTC(2027, 0, 31, 11, 30);
/** What a wish may be refused with, where its subscription is not in the state for it. */
const refusals = ['SUBSCRIPTION_STATE', 'COUPON_NOT_REDEEMABLE', 'CURRENCY_MISMATCH'] as const;

/** A subscriber, and all that was done. */
interface Life {
  readonly place: (typeof placesSold)[number];
  readonly acts: Act[];
}

interface Years {
  readonly billing: Billing;
  readonly books: Books;
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly bank: Bank;
  readonly lives: Map<string, Life>;
  asked: number;
}

/**
 * Lives of subscribers day by day: trials, failing cards, dunning, changes, pauses, ends, refunds. In the end everything is added up again: the
 * ledger against all papers, usage against what was told, cash against what the bank itself has counted, and every bill of every subscriber
 * against a recount that knows the rules, and none of the code.
 */
export async function proveYears(
  { seed }: { seed: number },
  { subscribers, days }: { subscribers: number; days: number },
): Promise<ProofResult> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-billing-years-'));
  const random = seededRandom(seed);
  const bank = openBank(random);
  const books = await openBooks(`sqlite://${join(directory, 'billing.db')}`, { onLost });
  const clock = createManualClock({ nowMs: startMs });
  const billing = createBilling({
    ...{ ...quiet, books, clock, provider: bank.provider, chance: createSeededChance(seed) },
  });
  const tell = (notice: ProviderNotice) => billing.notices.take(Buffer.from(JSON.stringify(notice)), '');
  const years: Years = { billing, books, clock, random, bank, lives: new Map(), asked: 0 };
  try {
    await sell(billing);
    for (let day = 0; day < days; day++) {
      // Everybody comes within the first half year.
      const coming = Math.ceil(subscribers / Math.min(180, days));
      for (let index = day * coming; index < Math.min(subscribers, (day + 1) * coming); index++)
        await subscribe(years, index);
      for (let wish = 0; wish < subscribers / 100; wish++) await wishSomething(years, subscribers);
      for (let user = 0; user < subscribers / 20; user++) await watchSomething(years, subscribers);
      await bank.decide(tell);
      await clock.advance(dayMs);
      await billing.bookDue();
      await billing.settleDue();
    }
    await bank.decide(tell, { all: true });
    // What was lost on the line is asked for again, and what was said of nobody.
    for (let hour = 0; hour < 36; hour++) {
      await clock.advance(3_600_000);
      await bank.decide(tell, { all: true });
      await billing.bookDue();
      await billing.settleDue();
    }
    return await addUpAgain(years, { subscribers, days });
  } finally {
    await books.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function sell({ offers }: Billing): Promise<void> {
  await offers.putTaxes(taxTable);
  await sellPlans(offers);
  await offers.putCoupon('third', { off: { kind: 'part', partPpm: 333_333 }, invoices: 3 });
}

/** Somebody uses something, and it is told: late now and then, or twice. */
async function watchSomething(years: Years, subscribers: number): Promise<void> {
  const { billing, random, clock, lives } = years;
  const account = accountOf(pick(random, subscribers));
  const toldAtMs = clock.nowMs();
  const atMs = toldAtMs - (random() < 0.2 ? pick(random, 5) * dayMs : 0);
  const quantity = 1 + pick(random, 300);
  const record = {
    id: `used-${String(years.asked++).padStart(9, '0')}`,
    account,
    metric: 'minutes',
    quantity,
    atMs,
  };
  for (let often = random() < 0.1 ? 2 : 1; often > 0; often--) await billing.usage.add({ records: [record] });
  lives.get(account)?.acts.push({ kind: 'used', atMs: toldAtMs, usedAtMs: atMs, quantity });
}

const accountOf = (index: number): string => `usr_year-${String(index).padStart(5, '0')}`;

/** Asks for something, and remembers what was done; false where it was refused. */
async function act(
  years: Years,
  { account, subscription, done }: { account: string; subscription?: string; done?: Done },
  decide: Parameters<Billing['once']>[1],
): Promise<void> {
  const ask = { caller: 'usr_operator-1', key: `wish-${years.asked++}`, request: [] };
  try {
    await years.billing.once({ ...ask, ...(subscription && { subscription }) }, decide);
    if (done !== undefined) years.lives.get(account)?.acts.push({ ...done, atMs: years.clock.nowMs() });
  } catch (error) {
    if (!isCoded(error, ...refusals)) throw error;
  }
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type Done = Without<Act, 'atMs'>;

async function subscribe(years: Years, index: number): Promise<void> {
  const { billing, random, lives, bank } = years;
  const account = accountOf(index);
  const place = placesSold[index % placesSold.length]!;
  const isSteady = isSteadyOne(index);
  const plan = plansSold[pick(random, plansSold.length)]!;
  const payer = isSteady ? 'good' : (['good', 'good', 'flaky', 'bad'] as const)[pick(random, 4)]!;
  const customer = await bank.provider.createCustomer(account);
  await billing.payers.enrol(account);
  const notice = { id: `method-${account}`, kind: 'method', account, customer, method: payer, atMs: 1 };
  await billing.notices.take(Buffer.from(JSON.stringify(notice)), '');
  const coupon = !isSteady && random() < 0.3 ? { coupon: 'third' } : {};
  lives.set(account, { place, acts: [] });
  const unit = 'unit' in place ? 'year' : 'month';
  const done = { kind: 'begin', plan, unit, hasCoupon: 'coupon' in coupon } as const;
  await act(years, { account, done }, (batch) =>
    billing.subscriptions.add(batch, subscriptionOf(account, { ...place, ...coupon, plan })),
  );
}

/** A third of them never wish anything. */
const isSteadyOne = (index: number): boolean => index % 3 === 0;

async function wishSomething(years: Years, subscribers: number): Promise<void> {
  const { billing, random } = years;
  const index = pick(random, subscribers);
  if (isSteadyOne(index)) return;
  const account = accountOf(index);
  const current = await billing.subscriptions.current(account);
  if (current !== undefined) return change(years, current);
  const [last] = (await billing.subscriptions.list({ account, limit: 100 })).slice(-1);
  if (last === undefined || random() < 0.7) return;
  // Comes back, where it was before.
  const { country, region, timeZone, price } = last;
  const place = { country, timeZone, currency: price.currency, ...(region && { region }) };
  const plan = plansSold[pick(random, 3)]!;
  const done = { kind: 'begin', plan, unit: 'month', hasCoupon: false } as const;
  await act(years, { account, done }, (batch) =>
    billing.subscriptions.add(batch, subscriptionOf(account, { ...place, unit: 'month', plan })),
  );
}

async function change(years: Years, { id, account, price }: SubscriptionView): Promise<void> {
  const { billing, random } = years;
  const { subscriptions, payments, invoices } = billing;
  const when = random() < 0.5 ? 'now' : 'period-end';
  const isAtEnd = when === 'period-end';
  const about = { account, subscription: id };
  switch (pick(random, 10)) {
    case 0:
      await act(years, { ...about, done: { kind: 'pause' } }, (batch) => subscriptions.pause(batch, id));
      return;
    case 1:
    case 2:
      await act(years, { ...about, done: { kind: 'resume' } }, (batch) => subscriptions.resume(batch, id));
      return;
    case 3:
      await act(years, { ...about, done: { kind: 'cancel', isAtEnd } }, (batch) =>
        subscriptions.cancel(batch, id, when),
      );
      return;
    case 4: {
      const credit = await invoices.freeCreditOf(account, price.currency);
      const paid = (await payments.list({ limit: 1000 })).find(
        (one) =>
          one.account === account &&
          one.provider !== undefined &&
          one.amount - (one.refunded ?? 0) - (one.disputed ?? 0) >= credit,
      );
      if (credit === 0 || paid?.currency !== price.currency) return;
      const request = {
        account,
        amount: credit,
        currency: price.currency,
        reference: 'asked',
        payment: paid.id,
      };
      await act(years, { account }, (batch) => payments.refund(batch, request));
      return;
    }
    default: {
      const plan = plansSold[pick(random, 3)]!;
      // By the year only euros are paid.
      const isOther = price.currency === 'EUR' && random() < 0.3;
      const unit = (price.interval.unit === 'month') === isOther ? 'year' : 'month';
      const done = { kind: 'change', plan, unit, isAtEnd } as const;
      await act(years, { ...about, done }, (batch) =>
        subscriptions.changePlan(batch, id, { plan, unit, when }),
      );
    }
  }
}

async function addUpAgain(
  years: Years,
  { subscribers, days }: { subscribers: number; days: number },
): Promise<ProofResult> {
  const { billing, books, bank } = years;
  const failures = await auditBilling({ billing, books });
  const booked = new Map(
    (await books.balances({ account: 'cash:bank' })).map(({ currency, amount }) => [currency, amount]),
  );
  for (const currency of new Set([...bank.cash.keys(), ...booked.keys()]))
    if ((booked.get(currency) ?? 0) !== (bank.cash.get(currency) ?? 0))
      failures.push(
        `${currency}: the bank has ${bank.cash.get(currency)}, the ledger ${booked.get(currency)}`,
      );
  if ((await billing.disputes.waiting()).length > 0)
    failures.push('a dispute waits for a payment that is in the books');
  for (const { amount, currency } of await books.balances({ account: 'transit:bank' }))
    if (amount !== 0) failures.push(`${amount} ${currency} are on their way back for ever`);
  const recounted = await recountAll(years);
  failures.push(...recounted.faults);
  const { transactions, papers } = await billing.verify();
  const said = bank.counts();
  return {
    holds: failures.length === 0,
    lines: [
      `${subscribers} subscribers, ${days} days: ${papers} invoices and credit notes, ${transactions} transactions`,
      `The bank: ${said.paid} charges paid, ${said.failed} declined, ${said.refunds} refunds, ${said.disputes} disputes; ${said.pending} of them known later only`,
      recounted.line,
      ...failures.slice(0, 20),
    ],
  };
}

/** Counts the bills of every subscriber again, and compares each. */
async function recountAll({
  billing,
  books,
  lives,
  clock,
}: Years): Promise<{ faults: string[]; line: string }> {
  const faults: string[] = [];
  const notes = Map.groupBy(await creditNotes(books), ({ account }) => account);
  const counts = { period: 0, usage: 0, credit: 0, change: 0 };
  for (const [account, { place, acts }] of lives) {
    const found = (await billing.invoices.list({ account, after: 0, limit: 1000 })).map(billOf);
    const dunned = await endedUnpaid(billing, account, acts);
    const wanted = recount(place, [...acts, ...dunned].toSorted(byTime), clock.nowMs());
    for (const kind of ['period', 'usage', 'credit'] as const) {
      const bills = kind === 'credit' ? (notes.get(account) ?? []) : found.filter((one) => one.kind === kind);
      const fault = firstDifference(
        bills,
        wanted.filter((one) => one.kind === kind),
      );
      if (fault !== undefined) faults.push(`${account}: ${kind}: ${fault}`);
      counts[kind] += bills.length;
    }
    counts.change += acts.filter(({ kind }) => kind !== 'begin' && kind !== 'used').length;
  }
  const { period, usage, credit, change } = counts;
  const line =
    `${lives.size} subscribers, ${change} changes, pauses and ends: ${period} invoices of periods, ${usage} of usage and ` +
    `${credit} credit notes are as a recount says that knows the rules alone`;
  return { faults, line };
}

/** Subscriptions that nobody has ended. What they leave unpaid is a matter of cards. */
async function endedUnpaid(billing: Billing, account: string, acts: readonly Act[]): Promise<Act[]> {
  const held = await billing.subscriptions.list({ account, limit: 1000 });
  const invoices = await billing.invoices.list({ account, after: 0, limit: 1000 });
  return held.flatMap(({ id, endedAtMs, timeZone }): Act[] => {
    if (endedAtMs === undefined) return [];
    const isUnpaid = invoices.some(
      ({ subscription, status, issuedAtMs }) =>
        subscription === id &&
        status === 'uncollectible' &&
        // A week to pay, and two more.
        wall(issuedAtMs, timeZone).add({ days: 7 }).add({ days: 14 }).epochMilliseconds === endedAtMs,
    );
    const isAsked = acts.some(({ kind, atMs }) => kind === 'cancel' && atMs === endedAtMs);
    return isUnpaid && !isAsked ? [{ kind: 'dunned', atMs: endedAtMs }] : [];
  });
}

/** What comes of time comes before what is done at that moment. */
function byTime(one: Act, other: Act): number {
  return one.atMs - other.atMs || Number(other.kind === 'dunned') - Number(one.kind === 'dunned');
}

function wall(atMs: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone);
}

function billOf({ usage, gross, period }: InvoiceView): FoundBill {
  return { kind: usage === undefined ? 'period' : 'usage', gross, ...period };
}

type FoundBill = Omit<Bill, 'atMs'>;

async function creditNotes(books: Books): Promise<(FoundBill & { account: string })[]> {
  const found: (FoundBill & { account: string })[] = [];
  for (let after = 0; ; after = found.length) {
    const page = await books.papers('credit-note', { after });
    if (page.length === 0) return found;
    for (const { value } of page) {
      const { account, gross } = value as { account: string; gross: number };
      found.push({ kind: 'credit', account, gross });
    }
  }
}

function firstDifference(found: readonly FoundBill[], wanted: readonly Bill[]): string | undefined {
  const said = (bill: FoundBill | undefined) => bill && `${bill.gross} from ${bill.startMs} to ${bill.endMs}`;
  const count = Math.max(found.length, wanted.length);
  const index = Array.from({ length: count }, (_, at) => at).find(
    (at) => said(found[at]) !== said(wanted[at]),
  );
  return index === undefined
    ? undefined
    : `the ${index + 1}th is of ${said(found[index])}, not of ${said(wanted[index])}`;
}

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
import { openBank, takenByBank, type Bank } from './billing-bank.ts';
import type { ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';

const startMs = Date.UTC(2027, 0, 31, 11, 30);
/** What a wish may be refused with, where its subscription is not in the state for it. */
const refusals = ['SUBSCRIPTION_STATE', 'COUPON_NOT_REDEEMABLE', 'CURRENCY_MISMATCH'] as const;

/** Somebody who never changes anything, and what was told of their usage. */
interface Steady {
  readonly plan: string;
  readonly begunAtMs: number;
  readonly place: (typeof placesSold)[number];
  readonly used: { readonly toldAtMs: number; readonly atMs: number; readonly quantity: number }[];
}

interface Years {
  readonly billing: Billing;
  readonly books: Books;
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly bank: Bank;
  /** Who never wishes anything: what they are billed is known beforehand. */
  readonly steady: Map<string, Steady>;
  asked: number;
}

/**
 * Lives of subscribers day by day: trials, failing cards, dunning, changes, pauses, ends, refunds. In the end everything is added up again: the
 * ledger against all papers, usage against what was told, cash against what the bank itself has counted, and the bills of those who never changed anything against a
 * calendar and a price of their own.
 */
export async function proveYears(
  { seed }: { seed: number },
  { subscribers, days }: { subscribers: number; days: number },
): Promise<ProofResult> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-billing-years-'));
  const random = seededRandom(seed);
  const bank = openBank(random);
  const books = await openBooks(`sqlite://${join(directory, 'billing.db')}`);
  const clock = createManualClock({ nowMs: startMs });
  const billing = createBilling({
    ...{ ...quiet, books, clock, provider: bank.provider, chance: createSeededChance(seed) },
  });
  const tell = (notice: ProviderNotice) => billing.notices.take(Buffer.from(JSON.stringify(notice)), '');
  const years: Years = { billing, books, clock, random, bank, steady: new Map(), asked: 0 };
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
  const { billing, random, clock, steady } = years;
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
  steady.get(account)?.used.push({ toldAtMs, atMs, quantity });
}

const accountOf = (index: number): string => `usr_year-${String(index).padStart(5, '0')}`;

async function act<T extends object>(
  years: Years,
  decide: Parameters<Billing['once']>[1],
  subscription?: string,
): Promise<T | undefined> {
  const ask = { caller: 'usr_operator-1', key: `wish-${years.asked++}`, request: [] };
  try {
    return (await years.billing.once({ ...ask, ...(subscription && { subscription }) }, decide)) as T;
  } catch (error) {
    if (isCoded(error, ...refusals)) return undefined;
    throw error;
  }
}

async function subscribe(years: Years, index: number): Promise<void> {
  const { billing, random, clock, steady, bank } = years;
  const account = accountOf(index);
  const place = placesSold[index % placesSold.length]!;
  const isSteady = index % 3 === 0;
  const plan = plansSold[pick(random, plansSold.length)]!;
  const payer = isSteady ? 'good' : (['good', 'good', 'flaky', 'bad'] as const)[pick(random, 4)]!;
  const customer = await bank.provider.createCustomer(account);
  await billing.payers.enrol(account);
  const notice = { id: `method-${account}`, kind: 'method', account, customer, method: payer, atMs: 1 };
  await billing.notices.take(Buffer.from(JSON.stringify(notice)), '');
  const coupon = !isSteady && random() < 0.3 ? { coupon: 'third' } : {};
  if (isSteady) steady.set(account, { plan, begunAtMs: clock.nowMs(), place, used: [] });
  await act(years, (batch) =>
    billing.subscriptions.add(batch, subscriptionOf(account, { ...place, ...coupon, plan })),
  );
}

async function wishSomething(years: Years, subscribers: number): Promise<void> {
  const { billing, random, steady } = years;
  const account = accountOf(pick(random, subscribers));
  if (steady.has(account)) return;
  const current = await billing.subscriptions.current(account);
  if (current !== undefined) return change(years, current);
  const [last] = (await billing.subscriptions.list({ account, limit: 100 })).slice(-1);
  if (last === undefined || random() < 0.7) return;
  // Comes back, where it was before.
  const { country, region, timeZone, price } = last;
  const place = { country, timeZone, currency: price.currency, ...(region && { region }) };
  await act(years, (batch) =>
    billing.subscriptions.add(
      batch,
      subscriptionOf(account, { ...place, unit: 'month', plan: plansSold[pick(random, 3)]! }),
    ),
  );
}

async function change(years: Years, { id, account, price }: SubscriptionView): Promise<void> {
  const { billing, random } = years;
  const { subscriptions, payments, invoices } = billing;
  const when = random() < 0.5 ? 'now' : 'period-end';
  switch (pick(random, 10)) {
    case 0:
      await act(years, (batch) => subscriptions.pause(batch, id), id);
      return;
    case 1:
    case 2:
      await act(years, (batch) => subscriptions.resume(batch, id), id);
      return;
    case 3:
      await act(years, (batch) => subscriptions.cancel(batch, id, when), id);
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
      await act(years, (batch) => payments.refund(batch, request));
      return;
    }
    default:
      await act(
        years,
        (batch) => subscriptions.changePlan(batch, id, { plan: plansSold[pick(random, 3)]!, when }),
        id,
      );
  }
}

async function addUpAgain(
  years: Years,
  { subscribers, days }: { subscribers: number; days: number },
): Promise<ProofResult> {
  const { billing, books, bank, steady, clock } = years;
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
  let invoices = 0;
  for (const [account, one] of steady) {
    const found = await billing.invoices.list({ account, after: 0, limit: 1000 });
    invoices += found.length;
    const wanted = steadyBills(one, clock.nowMs());
    for (const kind of ['period', 'usage'] as const) {
      const fault = firstDifference(
        found.filter(({ usage }) => (usage === undefined) === (kind === 'period')),
        { wanted: wanted[kind], isCut: found.some(({ status }) => status === 'uncollectible') },
      );
      if (fault !== undefined) failures.push(`${account}: ${kind}: ${fault}`);
    }
  }
  const { transactions, papers } = await billing.verify();
  const said = bank.counts();
  return {
    holds: failures.length === 0,
    lines: [
      `${subscribers} subscribers, ${days} days: ${papers} invoices and credit notes, ${transactions} transactions`,
      `The bank: ${said.paid} charges paid, ${said.failed} declined, ${said.refunds} refunds, ${said.disputes} disputes; ${said.pending} of them known later only`,
      `${steady.size} never changed anything: their ${invoices} invoices, of periods and of usage, are as a calendar and a price of their own say`,
      ...failures.slice(0, 20),
    ],
  };
}

interface WantedBill {
  readonly startMs: number;
  readonly gross: number;
}

/** What somebody is billed who changes nothing, counted without any of the code that billed them. */
function steadyBills(
  { plan, begunAtMs, place, used }: Steady,
  untilMs: number,
): { period: WantedBill[]; usage: WantedBill[] } {
  const cents = { basic: 999, premium: 1999, family: 1337 }[plan] ?? 0;
  const isYearly = 'unit' in place;
  const price = cents * (isYearly ? 10 : { EUR: 1, USD: 1, JPY: 2, KWD: 3 }[place.currency]);
  // Prices of dollars and dinars are without taxes; of the places with such prices Quebec alone has any.
  const rates = place.currency === 'USD' ? [50_000, 99_750] : [];
  const withTaxes = (amount: number) =>
    rates.reduce((sum, rate) => sum + Math.floor((amount * rate + 500_000) / 1_000_000), amount);
  const begun = Temporal.Instant.fromEpochMilliseconds(begunAtMs).toZonedDateTimeISO(place.timeZone);
  const anchor = begun.add({ days: { basic: 14, premium: 0, family: 3 }[plan] ?? 0 });
  const startOf = (index: number) =>
    anchor.add(isYearly ? { years: index } : { months: index }).epochMilliseconds;
  const bills: { period: WantedBill[]; usage: WantedBill[] } = { period: [], usage: [] };
  // Too little to be taken by itself.
  let carried: { startMs: number; amount: number } | undefined;
  for (let period = 0; ; period++) {
    const startMs = startOf(period);
    if (startMs > untilMs) return bills;
    bills.period.push({ startMs, gross: withTaxes(price) });
    const endMs = startOf(period + 1);
    const charged = used
      .filter(({ toldAtMs, atMs }) => toldAtMs >= startMs && toldAtMs < endMs && atMs >= startOf(0))
      .reduce((sum, { quantity }) => sum + quantity, 0);
    const amount = usageCost(plan, charged);
    if (amount > 0)
      carried = { startMs: carried?.startMs ?? startMs, amount: amount + (carried?.amount ?? 0) };
    if (endMs > untilMs || amount === 0 || carried === undefined) continue;
    if (takenByBank(carried.amount, place.currency) === 0) continue;
    bills.usage.push({ startMs: carried.startMs, gross: withTaxes(carried.amount) });
    carried = undefined;
  }
}

/** What minutes cost in a period; nothing where a plan has no meter. */
function usageCost(plan: string, minutes: number): number {
  if (plan === 'premium') return Math.max(0, minutes - 300);
  if (plan !== 'basic') return 0;
  const beyond = Math.max(0, minutes - 100);
  // Three quarters of a minor unit, and a half beyond four hundred.
  const quarters = 3 * Math.min(beyond, 400) + 2 * Math.max(beyond - 400, 0);
  return Math.floor((quarters + 2) / 4);
}

/** `isCut`: a card may be declined five times, though it rarely is: then the subscription ends, and so do its bills. */
function firstDifference(
  found: readonly InvoiceView[],
  { wanted, isCut }: { wanted: readonly WantedBill[]; isCut: boolean },
): string | undefined {
  if (!isCut && found.length !== wanted.length) return `${found.length} invoices, not ${wanted.length}`;
  for (const [index, { period, gross }] of found.entries()) {
    const other = wanted[index];
    if (other?.startMs !== period.startMs || other.gross !== gross)
      return `invoice ${index + 1} is of ${gross} from ${period.startMs}, not of ${other?.gross} from ${other?.startMs}`;
  }
  return undefined;
}

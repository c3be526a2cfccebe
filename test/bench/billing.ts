// `./dev bench billing`: invoices written, entitlements asked, and playbacks started, in one thread.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openBooks } from '../../common/adapters/records/open.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { createBilling, type Billing } from '../../control-plane/services/billing/service.ts';
import { dayMs, planOf, quiet, subscriptionOf, taxTable } from '../control-plane/support/billing-lab.ts';
import { lessIsBetter, median, moreIsBetter, runBench, type Figure } from '../support/bench.ts';
import { pick, seededRandom } from '../support/seeded.ts';
import { percentile } from './billing/percentile.ts';
import { measureStarts } from './billing/starts.ts';
import { onLost } from '../support/on-lost.ts';

const startMs = Date.UTC(2026, 0, 15, 11);
const accountOf = (index: number): string => `usr_bench-${String(index).padStart(6, '0')}`;
const atOnce = 200;

await runBench('billing', async ({ quick, wants }) => {
  const directory = mkdtempSync(join(tmpdir(), 'nearcast-bench-'));
  try {
    const figures: Figure[] = [];
    const rows: string[][] = [];
    if (wants('billing.invoices.rate')) {
      const rates = await invoiceRates(join(directory, 'invoices.db'), {
        subscribers: quick ? 2000 : 10_000,
      });
      rows.push(['invoices/s, month by month', rates.map((rate) => rate.toFixed(0)).join(', ')]);
      const limit = { peer: 'limit', theirs: 2000, unit: 'invoices/s/core', goal: 1 };
      figures.push(moreIsBetter({ name: 'billing.invoices.rate', ours: median(rates), ...limit }));
    }
    const users = quick ? 10_000 : 100_000;
    const books = await openBooks(`sqlite://${join(directory, 'users.db')}`, { onLost });
    const clock = createManualClock({ nowMs: startMs });
    const billing = createBilling({ ...quiet, books, clock, chance: createSystemChance() });
    await subscribeAll(billing, users, 14);
    if (wants('billing.entitlement.p99')) {
      const { cold, warm } = await entitlementTimes(billing, { users, asks: quick ? 20_000 : 200_000 });
      rows.push(['entitlement, first asked: p50, p99 in ms', show(cold)], ['from memory', show(warm)]);
      const limit = { peer: 'limit', theirs: 1, unit: 'ms', goal: 1 };
      figures.push(lessIsBetter({ name: 'billing.entitlement.p99', ours: percentile(cold, 0.99), ...limit }));
    }
    if (wants('start.p99')) {
      const starts = await measureStarts({
        ...{ directory, titles: quick ? 1000 : 10_000, seconds: quick ? 4 : 20, perSecond: 500 },
        ...{ account: (random) => accountOf(pick(random, users)), entitlements: billing.entitlements },
      });
      rows.push(
        ['playback starts: p50, p99 in ms', show(starts.times)],
        ['CPU of a start in ms', starts.cpuMs.toFixed(3)],
        ['answered', starts.said],
      );
      const limit = { peer: 'limit', theirs: 15, unit: 'ms', goal: 1 };
      figures.push(lessIsBetter({ name: 'start.p99', ours: percentile(starts.times, 0.99), ...limit }));
    }
    await books.close();
    return {
      figures,
      notes: [
        'Invoices: all subscriptions begin a new period in the same month; each is billed with taxes, posted and numbered, 200 a commit, on the disk (synchronous=FULL).',
        `Entitlements: ${users} accounts; each asked for the first time (the figure), then from memory, while one in a hundred asks is for an account that has changed just before.`,
        'Playback starts: as many come each second as the figure says, however long the earlier ones take, and each is timed from when it was to come. Entitlement, steering over HTTP (a process of its own), two ES256 tokens, the session written (nobody waits for the disk); without HTTP in front.',
      ],
      details: { head: ['what', 'measured'], rows },
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function show(times: readonly number[]): string {
  return `${percentile(times, 0.5).toFixed(3)}, ${percentile(times, 0.99).toFixed(3)}`;
}

async function subscribeAll(billing: Billing, count: number, trialDays: number): Promise<void> {
  const { offers, subscriptions, once } = billing;
  await offers.putTaxes(taxTable);
  await offers.putPlan('basic', planOf(999, { trialDays }));
  for (let first = 0; first < count; first += atOnce)
    await once({ caller: 'bench', key: String(first), request: [] }, async (batch) => {
      for (let index = first; index < Math.min(count, first + atOnce); index++)
        await subscriptions.add(batch, subscriptionOf(accountOf(index)));
      return {};
    });
}

/** Invoices a second in each of three months in which all are billed. */
async function invoiceRates(path: string, { subscribers }: { subscribers: number }): Promise<number[]> {
  const books = await openBooks(`sqlite://${path}`, { onLost });
  const clock = createManualClock({ nowMs: startMs });
  const billing = createBilling({ ...quiet, books, clock, chance: createSystemChance() });
  await subscribeAll(billing, subscribers, 1);
  const rates: number[] = [];
  // The first comes after the trial, the others after a month each: nobody is late yet.
  for (const days of [2, 31, 31]) {
    await clock.advance(days * dayMs);
    const before = await books.lastNumber('invoice');
    const begun = performance.now();
    await billing.bookDue();
    rates.push(((await books.lastNumber('invoice')) - before) / ((performance.now() - begun) / 1000));
    await payAll(billing, books, before);
  }
  await books.close();
  return rates;
}

async function payAll(
  { payments, invoices, once }: Billing,
  books: { lastNumber(series: string): Promise<number> },
  after: number,
): Promise<void> {
  const last = await books.lastNumber('invoice');
  for (let from = after; from < last; from += atOnce) {
    const page = await invoices.list({ after: from, limit: atOnce });
    await once({ caller: 'bench', key: `pay-${from}`, request: [] }, async (batch) => {
      for (const { id: invoice, open: amount, currency } of page)
        await payments.pay(batch, { invoice, amount, currency, reference: 'bench' });
      return {};
    });
  }
}

async function entitlementTimes(
  { entitlements }: Billing,
  { users, asks }: { users: number; asks: number },
): Promise<{ cold: number[]; warm: number[] }> {
  const random = seededRandom(1);
  const timed = async (index: number): Promise<number> => {
    const begun = performance.now();
    await entitlements.of(accountOf(index));
    return performance.now() - begun;
  };
  entitlements.forget();
  const cold: number[] = [];
  for (let index = 0; index < users; index++) cold.push(await timed(index));
  const warm: number[] = [];
  for (let ask = 0; ask < asks; ask++) {
    const index = pick(random, users);
    if (ask % 100 === 0) entitlements.forget(new Set([accountOf(index)]));
    warm.push(await timed(index));
  }
  return { cold, warm };
}

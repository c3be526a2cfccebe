import { setImmediate } from 'node:timers/promises';
import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { RecordValue } from '../../../common/adapters/records/port.ts';
import { InvoicePaper } from '../../../common/contract/billing.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { meterAmount, quantityOf } from './core/meters.ts';
import type { Desk } from './desk.ts';
import { invoiceSeries } from './invoices.ts';
import type { BillingRecords, MeteredRecord } from './records.ts';

const pageLength = 500;
const faultsMax = 100;

/**
 * Counts usage again: records against what meters have counted, that against what became of it and against invoices, and each line of an
 * invoice; a sentence for each fault, a hundred at most. An account is counted while nothing is booked, and others are served between pages.
 */
export async function verifyUsage(options: { records: BillingRecords; desk: Desk }): Promise<string[]> {
  const faults: string[] = [];
  const add = (found: readonly string[]) => faults.push(...found.slice(0, faultsMax - faults.length));
  const { metered, usage, books } = options.records;
  for (let after: string | undefined; ;) {
    const [next] = await metered.scan({ after, limit: 1 });
    if (next === undefined) break;
    const account = accountOf(next.key);
    add(await options.desk.read(() => faultsOf(options.records, account)));
    // Behind all keys of the account.
    after = `${account};`;
    await setImmediate();
  }
  // What is metered, or on an invoice, has been counted in the same commit or before.
  const isCounted = async (key: string) => (await metered.get(key)) !== undefined;
  for await (const page of pagesOf(usage)) {
    const keys = page
      .filter(({ value }) => value.isMetered)
      .map(({ key, value }) => `${accountOf(key)}:${value.metric}`);
    for (const key of new Set(keys)) if (!(await isCounted(key))) add([`usage ${key} was never counted`]);
  }
  for (let after = 0; ;) {
    const papers = await books.papers(invoiceSeries, { after, limit: pageLength });
    for (const { value } of papers) {
      const paper = paperOf(value);
      add(faultsOfPaper(paper));
      for (const { metric } of paper.usage ?? [])
        if (!(await isCounted(`${paper.account}:${metric}`)))
          add([`usage ${paper.account}:${metric} was never counted`]);
    }
    const last = papers.at(-1);
    // What comes meanwhile is not run after.
    if (last === undefined || papers.length < pageLength) return faults;
    after = last.number;
    await setImmediate();
  }
}

async function faultsOf(records: BillingRecords, account: string): Promise<string[]> {
  const { metered, usage, invoicesOf, books } = records;
  const prefix = `${account}:`;
  const [told, invoiced] = [new Map<string, number>(), new Map<string, number>()];
  const count = (sums: Map<string, number>, metric: string, quantity: number) =>
    sums.set(metric, (sums.get(metric) ?? 0) + quantity);
  for await (const page of pagesOf(usage, prefix))
    for (const { value } of page) if (value.isMetered === true) count(told, value.metric, value.quantity);
  for await (const page of pagesOf(invoicesOf, prefix))
    for (const { value } of page) {
      const lines = paperOf((await books.paper(value.id))?.value).usage ?? [];
      for (const { metric, quantity } of lines) count(invoiced, metric, quantity);
    }
  const faults: string[] = [];
  for await (const page of pagesOf(metered, prefix))
    for (const { key, value } of page) {
      const metric = key.slice(prefix.length);
      const found = { told: told.get(metric) ?? 0, invoiced: invoiced.get(metric) ?? 0 };
      faults.push(...faultsOfMetric(key, value, found));
    }
  return faults;
}

function faultsOfMetric(
  key: string,
  { folded, told, open, invoiced, free, givenUp, carried }: MeteredRecord,
  found: { told: number; invoiced: number },
): string[] {
  const faults: string[] = [];
  const recorded = found.told + folded;
  if (recorded !== told) faults.push(`usage ${key}: ${recorded} are recorded, ${told} were counted`);
  if (found.invoiced !== invoiced)
    faults.push(`usage ${key}: ${found.invoiced} are on invoices, not ${invoiced}`);
  const known = open + invoiced + free + givenUp + quantityOf(carried);
  if (known !== told) faults.push(`usage ${key}: ${told} were told, of ${known} it is known what became`);
  return faults;
}

function faultsOfPaper({ number, amount, usage = [] }: InvoicePaper): string[] {
  if (usage.length === 0) return [];
  const faults = usage.flatMap((line) => {
    const costs = meterAmount(line.quantity, line);
    return costs === line.amount
      ? []
      : [`invoice ${number}: ${line.metric} costs ${costs}, not ${line.amount}`];
  });
  const sum = usage.reduce((all, line) => all + line.amount, 0);
  return sum === amount ? faults : [...faults, `invoice ${number}: its lines of usage do not sum to it`];
}

/** The documents under a prefix, with a turn for others between pages. */
async function* pagesOf<T extends RecordValue>(
  collection: Collection<T>,
  prefix = '',
): AsyncGenerator<Awaited<ReturnType<Collection<T>['scan']>>> {
  for (let after: string | undefined; ;) {
    const page = await collection.scan({ prefix, after, limit: pageLength });
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageLength) return;
    after = last.key;
    await setImmediate();
  }
}

function paperOf(value: unknown): InvoicePaper {
  return parseAs(InvoicePaper, value, { what: 'an invoice', code: 'STORE_CORRUPT' });
}

function accountOf(key: string): string {
  return key.slice(0, key.indexOf(':'));
}

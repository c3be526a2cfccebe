import { setImmediate } from 'node:timers/promises';
import { nextAtMs } from './core/subscription.ts';
import type { Desk } from './desk.ts';
import { faultsOfInvoices } from './documents-verify.ts';
import type { Invoices } from './invoices.ts';
import { ordered, type BillingRecords, type SubscriptionRecord } from './records.ts';

const faultsMax = 100;
/** More accounts for money on its way than there are providers. */
const providersMax = 50;

/** Money by what it is of, in one currency each. */
class Sums {
  readonly #sums = new Map<string, number>();

  add(currency: string, amount: number): void {
    this.#sums.set(currency, (this.#sums.get(currency) ?? 0) + amount);
  }

  of(currency: string): number {
    return this.#sums.get(currency) ?? 0;
  }

  currencies(): Iterable<string> {
    return this.#sums.keys();
  }
}

interface Verified {
  readonly records: BillingRecords;
  readonly invoices: Pick<Invoices, 'view' | 'creditNotes'>;
  readonly desk: Desk;
}

/**
 * Compares what documents say with the ledger, and with one another: what each account owes and is owed, invoices that nobody waits for, changes
 * that nothing will bring about, refunds on their way and disputes; a sentence for each fault. An account is looked at while nothing is
 * booked, and others are served between accounts. A hundred faults at most.
 */
export async function verifyAccounts(options: Verified): Promise<string[]> {
  const { records, desk } = options;
  const faults: string[] = [];
  for (let after: string | undefined; ;) {
    const [next] = await records.subscriptionsOf.scan({ after, limit: 1 });
    if (next === undefined) break;
    const account = next.key.slice(0, next.key.indexOf(':'));
    faults.push(...(await desk.read(() => faultsOf(options, account))));
    if (faults.length >= faultsMax) return faults.slice(0, faultsMax);
    // Behind all keys of the account.
    after = `${account};`;
    await setImmediate();
  }
  return [...faults, ...(await desk.read(() => faultsOnTheWay(records)))].slice(0, faultsMax);
}

async function faultsOf({ records, invoices }: Verified, account: string): Promise<string[]> {
  const { invoicesOf, subscriptionsOf, subscriptions, disputedOf, collections, collectionsDue } = records;
  const faults: string[] = [];
  const [owed, held] = [new Sums(), new Sums()];
  const open = new Map<string, string>();
  for await (const { value } of invoicesOf.all(`${account}:`)) {
    const invoice = await invoices.view(value.id);
    owed.add(invoice.currency, invoice.open);
    if (invoice.open > 0) open.set(invoice.id, invoice.subscription);
    if (invoice.open < 0) faults.push(`invoice ${invoice.number}: ${-invoice.open} too many are paid of it`);
    const due = invoice.open > 0 ? (await collections.get(invoice.id))?.value.nextAtMs : undefined;
    if (due !== undefined && (await collectionsDue.get(`${ordered(due)}:${invoice.id}`)) === undefined)
      faults.push(`invoice ${invoice.number} is due to be collected, and stands not among those that are`);
  }
  faults.push(...(await faultsOfInvoices({ records, invoices }, account)));
  faults.push(...(await differences(records, `receivable:${account}`, owed)));
  for await (const { value } of disputedOf.all(`${account}:`)) held.add(value.currency, value.held);
  for (const { currency, amount } of await records.books.balances({ account: `credit:${account}` }))
    if (-amount < held.of(currency))
      faults.push(`credit:${account} is ${-amount} ${currency}, and ${held.of(currency)} of it are held`);
  for await (const { value } of subscriptionsOf.all(`${account}:`)) {
    const subscription = (await subscriptions.get(value.id))?.value;
    if (subscription === undefined) faults.push(`subscription ${value.id} of ${account} is not there`);
    else faults.push(...(await faultsOfSubscription(records, subscription, open)));
  }
  for (const [invoice, subscription] of open)
    faults.push(`invoice ${invoice} is open, and ${subscription} does not wait for it`);
  return faults;
}

/** Takes what the subscription waits for out of `open`. */
async function faultsOfSubscription(
  { due }: BillingRecords,
  subscription: SubscriptionRecord,
  open: Map<string, string>,
): Promise<string[]> {
  const { id, unpaid, dueAtMs } = subscription;
  const faults = unpaid
    .filter(({ invoice }) => open.get(invoice) !== id || !open.delete(invoice))
    .map(({ invoice }) => `subscription ${id} waits for invoice ${invoice}, which is not open`);
  const atMs = nextAtMs(subscription);
  if (dueAtMs !== atMs) faults.push(`subscription ${id} is due at ${dueAtMs}, not at ${atMs}`);
  if (dueAtMs !== undefined && (await due.get(`${ordered(dueAtMs)}:${id}`)) === undefined)
    faults.push(`subscription ${id} is due at ${dueAtMs}, and stands not among those that are`);
  return faults;
}

/** Of refunds that a provider has not given yet, and of disputes. */
async function faultsOnTheWay(records: BillingRecords): Promise<string[]> {
  const wanted = new Map<string, Sums>();
  const add = (account: string, currency: string, amount: number): void => {
    const sums = wanted.get(account) ?? new Sums();
    wanted.set(account, sums);
    sums.add(currency, amount);
  };
  for await (const { value } of records.refundsDue.all()) {
    const refund = (await records.payments.get(value.id))?.value;
    if (refund?.state === 'pending') add(`transit:${refund.provider}`, refund.currency, -refund.amount);
  }
  for await (const { value } of records.disputes.all()) {
    const { provider = '' } = (await records.payments.get(value.payment))?.value ?? {};
    if (value.state === 'open') add(`disputed:${provider}`, value.currency, value.amount);
    if (value.state === 'lost') add('chargebacks', value.currency, value.amount);
  }
  const faults: string[] = [];
  for (const account of new Set([...wanted.keys(), ...(await accountsOnTheWay(records))]))
    faults.push(...(await differences(records, account, wanted.get(account) ?? new Sums())));
  return faults;
}

/** The accounts of the ledger for money on its way, of all providers that there ever were. */
async function accountsOnTheWay({ books }: BillingRecords): Promise<string[]> {
  const found: string[] = [];
  for (const kind of ['chargebacks', 'disputed:', 'transit:']) {
    // Accounts are in the order of their names, and of each kind there are a few.
    const page = await books.balances({ after: kind.slice(0, -1), limit: providersMax });
    found.push(...page.map(({ account }) => account).filter((account) => account.startsWith(kind)));
  }
  return found;
}

async function differences({ books }: BillingRecords, account: string, wanted: Sums): Promise<string[]> {
  const kept = new Sums();
  for (const { currency, amount } of await books.balances({ account })) kept.add(currency, amount);
  return [...new Set([...wanted.currencies(), ...kept.currencies()])]
    .filter((currency) => wanted.of(currency) !== kept.of(currency))
    .map(
      (currency) =>
        `${account} is ${kept.of(currency)} ${currency}, and the documents sum to ${wanted.of(currency)}`,
    );
}

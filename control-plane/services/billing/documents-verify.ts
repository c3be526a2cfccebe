import { setImmediate } from 'node:timers/promises';
import { CreditNotePaper, type PaymentView } from '../../../common/contract/billing.ts';
import type { LedgerEntry } from '../../../common/core/ledger.ts';
import { takenBack } from './core/dispute.ts';
import type { Desk } from './desk.ts';
import type { Invoices } from './invoices.ts';
import { movedBy } from './payments.ts';
import type { BillingRecords } from './records.ts';

const pageLength = 200;
const faultsMax = 100;
/** More accounts of cash than there are providers. */
const providersMax = 50;

/** A document, by the words that it is told by, with the transactions that it may have and what they must have moved together. */
interface Documented {
  readonly what: string;
  readonly transactions: readonly string[];
  readonly wanted: readonly LedgerEntry[];
}

/**
 * Holds the accounts `cash:*` and `write-offs` to documents, both ways: each payment, refund and dispute must have moved what it says, and each
 * transaction on these accounts must be of a document that is there; a sentence for each fault, a hundred at most. A page is looked at
 * while nothing is booked, and others are served between pages. What invoices say they were given up of is `faultsOfInvoices`.
 */
export async function verifyDocuments({
  records,
  desk,
}: {
  records: BillingRecords;
  desk: Desk;
}): Promise<string[]> {
  const faults: string[] = [];
  const look = async (pages: (after: string | undefined) => Promise<Looked>): Promise<void> => {
    for (let after: string | undefined; faults.length < faultsMax; await setImmediate()) {
      const { found, next } = await desk.read(() => pages(after));
      faults.push(...found);
      if (next === undefined) return;
      after = next;
    }
  };
  await look(async (after) => {
    const page = await records.payments.scan({ after, limit: pageLength });
    return looked(records, page.map(({ value }) => ofPayment(value)), page.at(-1)?.key); // prettier-ignore
  });
  await look(async (after) => {
    const page = await records.disputes.scan({ after, limit: pageLength });
    const all = page.map(
      async ({ key, value: { payment, state, amount, currency } }): Promise<Documented> => {
        const { provider = '' } = (await records.payments.get(payment))?.value ?? {};
        return {
          what: `dispute ${key}`,
          transactions: ['dispute-open', 'dispute-lost', 'dispute-won'].map((kind) => `${kind}:${key}`),
          wanted: [{ account: `cash:${provider}`, currency, amount: -takenBack(state, amount) }],
        };
      },
    );
    return looked(records, await Promise.all(all), page.at(-1)?.key);
  });
  const cash = await records.books.balances({ after: 'cash', limit: providersMax });
  const accounts = new Set(cash.map(({ account }) => account).filter(isCash));
  for (const account of [...accounts, 'write-offs'])
    await look((after) => withoutDocument(records, account, Number(after ?? 0)));
  return faults.slice(0, faultsMax);
}

/**
 * Compares what the invoices of an account say that became of them with its payments and credit notes, and what was given up of them with the
 * ledger; while nothing is booked.
 */
export async function faultsOfInvoices(
  { records, invoices }: { records: BillingRecords; invoices: Pick<Invoices, 'creditNotes'> },
  account: string,
): Promise<string[]> {
  const { books, paymentsOf, invoicesOf } = records;
  const [paid, recovered, credited, creditedGivenUp] = [counter(), counter(), counter(), counter()];
  for await (const { value } of paymentsOf.all(`${account}:`)) {
    const payment = (await records.payments.get(value.id))?.value;
    if (payment?.kind !== 'payment' || payment.invoice === undefined) continue;
    paid.add(payment.invoice, payment.amount - (payment.toCredit ?? 0));
    recovered.add(payment.invoice, payment.recovered ?? 0);
  }
  for (let after = 0; ;) {
    const page: CreditNotePaper[] = await invoices.creditNotes({ account, after, limit: pageLength });
    for (const { id, invoice, gross, number } of page) {
      credited.add(invoice, gross);
      const entries = (await books.transaction(`credit-note:${id}`))?.entries ?? [];
      for (const entry of entries.filter(isGivenUp)) creditedGivenUp.add(invoice, -entry.amount);
      after = number;
    }
    if (page.length < pageLength) break;
  }
  const faults: string[] = [];
  for await (const {
    value: { id },
  } of invoicesOf.all(`${account}:`)) {
    const record = (await records.invoices.get(id))?.value;
    const paper = (await books.paper(id))?.value as { number: number; currency: string } | undefined;
    if (record === undefined || paper === undefined) continue;
    const [payments, notes, ledger] = ['its payments sum to', 'its credit notes sum to', 'the ledger has'];
    const givenUp = record.writtenOff + (record.waived ?? 0);
    const compared: [says: string, said: number, where: string, found: number][] = [
      ['paid', record.paid, payments, paid.of(id)],
      ['recovered', record.recovered ?? 0, payments, recovered.of(id)],
      ['credited', record.credited.gross, notes, credited.of(id)],
      ['credited of what was given up', record.creditedGivenUp ?? 0, ledger, creditedGivenUp.of(id)],
      ['given up', givenUp, ledger, await givenUpOf(records, id)],
    ];
    const { number, currency } = paper;
    for (const [says, said, where, found] of compared.filter(([, said, , found]) => said !== found))
      faults.push(`invoice ${number}: ${said} ${currency} are said to be ${says}, and ${where} ${found}`);
  }
  return faults;
}

/** What of an invoice was written off or waived, as it was posted: a waiver is named by what was waived before it. */
async function givenUpOf({ books }: BillingRecords, id: string): Promise<number> {
  const movedBy = async (transaction: string): Promise<number> => {
    const entries = (await books.transaction(transaction))?.entries ?? [];
    return entries.filter(isGivenUp).reduce((sum, { amount }) => sum + amount, 0);
  };
  let waived = 0;
  for (let more = await movedBy(`waiver:${id}.0`); more > 0; more = await movedBy(`waiver:${id}.${waived}`))
    waived += more;
  return waived + (await movedBy(`write-off:${id}`));
}

function ofPayment(payment: PaymentView): Documented {
  const { kind, state, recovered = 0 } = payment;
  const { id, currency, amount, provider } = movedBy(payment);
  const cash = { account: `cash:${provider}`, currency };
  const what = `${kind} ${id}`;
  if (kind === 'refund') {
    const kinds = ['refund', 'refund-done', 'refund-failed', 'refund-returned'];
    const wanted = state === undefined ? [{ ...cash, amount: -amount }] : [];
    return { what, transactions: kinds.map((one) => `${one}:${id}`), wanted };
  }
  const came = [
    { ...cash, amount },
    { account: 'write-offs', currency, amount: -recovered },
  ];
  return { what, transactions: [`payment:${id}`], wanted: state === undefined ? came : [] };
}

interface Looked {
  readonly found: readonly string[];
  /** Behind what the next page begins. */
  readonly next: string | undefined;
}

async function looked(
  records: BillingRecords,
  documents: readonly Documented[],
  next: string | undefined,
): Promise<Looked> {
  const found: string[] = [];
  for (const document of documents) found.push(...(await faultsOf(records, document)));
  return { found, next };
}

/** Compares what a document says with what its transactions have moved of cash, or given up. */
async function faultsOf(
  { books }: BillingRecords,
  { what, transactions, wanted }: Documented,
): Promise<string[]> {
  const [said, kept] = [counter(), counter()];
  for (const { account, currency, amount } of wanted) said.add(`${currency} of ${account}`, amount);
  for (const id of transactions)
    for (const entry of (await books.transaction(id))?.entries ?? [])
      if (isCash(entry.account) || isGivenUp(entry))
        kept.add(`${entry.currency} of ${entry.account}`, entry.amount);
  return [...new Set([...said.keys(), ...kept.keys()])]
    .filter((key) => said.of(key) !== kept.of(key))
    .map((key) => `${what} is said to have moved ${said.of(key)} ${key}, and the ledger has ${kept.of(key)}`);
}

/** Transactions on an account, after one by its sequence, that no document is there for. */
async function withoutDocument(records: BillingRecords, account: string, after: number): Promise<Looked> {
  const page = await records.books.transactions({ account, after, limit: pageLength });
  const found: string[] = [];
  for (const { id, kind, entries } of page) {
    if (await hasDocument(records, kind, id.slice(kind.length + 1))) continue;
    for (const { currency, amount } of entries.filter((entry) => entry.account === account))
      found.push(`${id} has moved ${amount} ${currency} of ${account}, and there is no document of it`);
  }
  return { found, next: page.at(-1)?.sequence.toString() };
}

async function hasDocument(records: BillingRecords, kind: string, id: string): Promise<boolean> {
  const { books, payments, disputes, invoices } = records;
  if (kind === 'payment' || kind.startsWith('refund')) return (await payments.get(id)) !== undefined;
  if (kind.startsWith('dispute-')) return (await disputes.get(id)) !== undefined;
  if (kind === 'credit-note') return (await books.paper(id)) !== undefined;
  // `waiver:<invoice>.<waived before>`
  if (kind === 'write-off' || kind === 'waiver')
    return (await invoices.get(id.replace(/\.\d+$/, ''))) !== undefined;
  return false;
}

const isCash = (account: string): boolean => account.startsWith('cash:');
const isGivenUp = ({ account }: LedgerEntry): boolean => account === 'write-offs';

function counter() {
  const sums = new Map<string, number>();
  return {
    add: (key: string, amount: number): unknown => sums.set(key, (sums.get(key) ?? 0) + amount),
    of: (key: string): number => sums.get(key) ?? 0,
    keys: () => sums.keys(),
  };
}

import { CreditNotePaper, InvoicePaper, type InvoiceView } from '../../../common/contract/billing.ts';
import type { UsageLine } from '../../../common/contract/meters.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { newObjectId } from '../../core/object-id.ts';
import type { Batch } from './batch.ts';
import { daysLater } from './core/calendar.ts';
import { heldOfNote } from './core/dispute.ts';
import { addUp, takeBack } from './core/invoice.ts';
import {
  creditAccount,
  creditNotePosting,
  invoicePosting,
  waiverPosting,
  writeOffPosting,
} from './core/postings.ts';
import { paymentDays, type Bill } from './core/subscription.ts';
import { taxesAt } from './core/taxes.ts';
import {
  ordered,
  type BillingRecords,
  type DisputedOfRecord,
  type InvoiceRecord,
  type SubscriptionRecord,
} from './records.ts';

export const invoiceSeries = 'invoice';
export const creditNoteSeries = 'credit-note';

/** An invoice that was just written, and the coupons of its subscription after it. */
export interface Issued {
  readonly paper: InvoicePaper;
  readonly coupons: SubscriptionRecord['coupons'];
  /** What is to be paid. */
  readonly open: number;
}

/** Credit that is not in the books yet. */
export interface FreshCredit {
  /** Without what of it is held. */
  readonly amount: number;
  /** What of the account's credit is used up by other invoices of the same batch. */
  readonly spent: number;
}

/** A credit note that was just written. */
export interface Credited {
  readonly paper: CreditNotePaper;
  /** What is still to be paid of the invoice. */
  readonly open: number;
  /** What went to the account's credit and is not held for a dispute. */
  readonly toCredit: number;
}

/** Invoices and credit notes: writes them into a batch, and shows them. */
export interface Invoices {
  /**
   * Bills a subscription for a part of a price. The account's credit is used up first; `fresh` is what the same batch has added to it.
   */
  issue(
    batch: Batch,
    subscription: Pick<
      SubscriptionRecord,
      'id' | 'account' | 'plan' | 'price' | 'country' | 'region' | 'timeZone' | 'coupons'
    >,
    terms: {
      bill: Bill;
      /** What the bill is the sum of, where it is of usage. */
      usage?: UsageLine[];
      planName: string;
      nowMs: number;
      fresh: FreshCredit;
    },
  ): Promise<Issued>;
  /**
   * Takes `base` of an invoice back, or less where less is left of it; all that is left when it says nothing. Nothing is written where
   * nothing is left: undefined. Errors: INVOICE_UNKNOWN.
   */
  credit(
    batch: Batch,
    id: string,
    terms: { base?: number | undefined; reason: string; nowMs: number },
  ): Promise<Credited | undefined>;
  /** Gives up what is open of an invoice. */
  writeOff(batch: Batch, id: string, nowMs: number): Promise<void>;
  /** Gives up what of an invoice is too little to be asked for; what is open of it then is `left`. */
  waive(batch: Batch, id: string, terms: { left: number; nowMs: number }): Promise<void>;
  /**
   * Counts a payment: first of what is open, then, `recovered` of it, of what had been given up. Errors: INVOICE_UNKNOWN, AMOUNT_INVALID (more
   * than both), CURRENCY_MISMATCH.
   */
  pay(
    batch: Batch,
    id: string,
    money: { amount: number; currency: string },
  ): Promise<{ invoice: InvoiceView; recovered: number }>;
  /** What we owe an account, in one currency. */
  creditOf(account: string, currency: string): Promise<number>;
  /** What of it may be spent or given back: not what came of money that is disputed. `fresh`: credit of the same batch. */
  freeCreditOf(account: string, currency: string, fresh?: FreshCredit): Promise<number>;
  /** Errors: INVOICE_UNKNOWN. */
  view(id: string): Promise<InvoiceView>;
  /** Errors: NOT_FOUND. */
  creditNote(id: string): Promise<CreditNotePaper>;
  /** Credit notes by number, or those of an account: so many after one. */
  creditNotes(page: {
    account?: string | undefined;
    after: number;
    limit: number;
  }): Promise<CreditNotePaper[]>;
  /** Invoices by number, or those of an account. */
  list(options: { account?: string | undefined; after: number; limit: number }): Promise<InvoiceView[]>;
}

/** A payment under dispute, as it is held. */
interface HeldOf {
  readonly key: string;
  readonly value: DisputedOfRecord;
  readonly disputed: number;
  readonly held: number;
}

export interface InvoicesOptions {
  records: BillingRecords;
  chance: Chance;
  /** Has an invoice paid that was just written, in the same batch. */
  collect: (batch: Batch, invoice: InvoicePaper) => Promise<void>;
}

/** Opens the invoices. */
export function openInvoices(options: InvoicesOptions): Invoices {
  return new KeptInvoices(options);
}

class KeptInvoices implements Invoices {
  readonly #records: BillingRecords;
  readonly #chance: Chance;
  readonly #collect: InvoicesOptions['collect'];

  constructor({ records, chance, collect }: InvoicesOptions) {
    this.#records = records;
    this.#chance = chance;
    this.#collect = collect;
  }

  async issue(...[batch, subscription, terms]: Parameters<Invoices['issue']>): Promise<Issued> {
    const { bill, usage, planName, nowMs, fresh } = terms;
    const { invoices, invoicesOf, taxes, issuer } = this.#records;
    const { account, price, country, region, timeZone } = subscription;
    const table = (await batch.readOnce('taxes', () => taxes.get('all')))?.value.rows ?? [];
    const issuedBy = (await batch.readOnce('issuer', () => issuer.get('all')))?.value;
    const { amounts, coupons } = addUp(
      { amount: bill.amount, currency: price.currency, taxInclusive: price.taxInclusive },
      { coupons: subscription.coupons, taxes: taxesAt(table, { country, region }, nowMs) },
    );
    const creditApplied = Math.min(amounts.gross, await this.freeCreditOf(account, price.currency, fresh));
    const number = await batch.nextNumber(invoiceSeries);
    const paper: InvoicePaper = {
      ...{ version: 1, id: newObjectId('inv', this.#chance), number, account, plan: subscription.plan },
      ...{ subscription: subscription.id, currency: price.currency, country, issuedAtMs: nowMs },
      ...(region !== undefined && { region }),
      dueAtMs: daysLater(nowMs, { days: paymentDays, timeZone }),
      ...{ text: planName, period: bill.period, creditApplied },
      ...(issuedBy && { issuer: issuedBy }),
      ...(usage && { usage }),
      ...{ ...amounts, discounts: [...amounts.discounts], taxes: [...amounts.taxes] },
    };
    batch.write(invoiceSeries, paper);
    const none = { base: 0, taxes: paper.taxes.map(() => 0), gross: 0 };
    batch.change(
      invoices.putOperation(paper.id, { paid: 0, credited: none, creditedOpen: 0, writtenOff: 0 }, 0),
      invoicesOf.putOperation(`${account}:${ordered(number)}`, { id: paper.id }),
    );
    batch.post(invoicePosting({ ...paper, atMs: nowMs }, paper));
    const open = paper.gross - creditApplied;
    const { id, gross, currency } = paper;
    batch.tell('invoice.issued', account, { invoice: id, number, amount: gross, open, currency });
    batch.owe(open);
    if (open > 0) await this.#collect(batch, paper);
    return { paper, coupons: [...coupons], open };
  }

  async credit(...[batch, id, terms]: Parameters<Invoices['credit']>): Promise<Credited | undefined> {
    const { paper: invoice, record } = await this.#find(id);
    const { base: wanted, reason, nowMs } = terms;
    const left = invoice.base - record.credited.base;
    const base = Math.min(left, wanted ?? left);
    if (base === 0) return undefined;
    const amounts = takeBack(invoice, { before: record.credited, base });
    const open = openOf(invoice, record);
    const offOpen = Math.min(open, amounts.gross);
    // What nobody has paid is nobody's credit.
    const offGivenUp = Math.min(givenUpOf(record), amounts.gross - offOpen);
    const { account, subscription, plan, currency, country, region } = invoice;
    const paper: CreditNotePaper = {
      ...{ version: 1, id: newObjectId('cn', this.#chance) },
      number: await batch.nextNumber(creditNoteSeries),
      ...{ invoice: id, account, subscription, plan, currency, country, issuedAtMs: nowMs, reason },
      ...(region !== undefined && { region }),
      ...{ base, net: amounts.net, gross: amounts.gross },
      taxes: invoice.taxes.map((tax, index) => ({ ...tax, amount: amounts.taxes[index] ?? 0 })),
    };
    batch.write(creditNoteSeries, paper);
    const noteKey = `${account}:${ordered(paper.number)}`;
    batch.change(this.#records.creditNotesOf.putOperation(noteKey, { id: paper.id }));
    const credited = {
      base: record.credited.base + base,
      taxes: record.credited.taxes.map((tax, index) => tax + (amounts.taxes[index] ?? 0)),
      gross: record.credited.gross + amounts.gross,
    };
    const after = {
      ...{ ...record, credited, creditedOpen: record.creditedOpen + offOpen },
      ...(offGivenUp > 0 && { creditedGivenUp: (record.creditedGivenUp ?? 0) + offGivenUp }),
    };
    batch.change(this.#records.invoices.putOperation(id, after));
    batch.post(creditNotePosting({ ...paper, atMs: nowMs }, { ...paper, offOpen, offGivenUp }));
    batch.tell('credit_note.issued', account, {
      invoice: id,
      creditNote: paper.id,
      amount: paper.gross,
      currency,
    });
    const toCredit = amounts.gross - offOpen - offGivenUp;
    return { paper, open: open - offOpen, toCredit: toCredit - (await this.#hold(batch, invoice, toCredit)) };
  }

  async writeOff(batch: Batch, id: string, nowMs: number): Promise<void> {
    const { paper, record } = await this.#find(id);
    const amount = openOf(paper, record);
    if (amount === 0) return;
    const after = { ...record, writtenOff: record.writtenOff + amount };
    batch.change(this.#records.invoices.putOperation(id, after));
    const { account, currency, number } = paper;
    batch.tell('invoice.written_off', account, { invoice: id, amount, currency });
    batch.post(writeOffPosting({ id, account, currency, amount, atMs: nowMs, memo: `invoice ${number}` }));
  }

  async waive(...[batch, id, { left, nowMs }]: Parameters<Invoices['waive']>): Promise<void> {
    const { paper, record } = await this.#find(id);
    const amount = openOf(paper, record) - left;
    if (amount <= 0) return;
    const { waived: waivedBefore = 0 } = record;
    batch.change(this.#records.invoices.putOperation(id, { ...record, waived: waivedBefore + amount }));
    const { account, currency, number } = paper;
    const moved = { id, account, currency, amount, atMs: nowMs, memo: `invoice ${number}` };
    batch.post(waiverPosting(moved, { waivedBefore }));
    if (left === 0) batch.tell('invoice.written_off', account, { invoice: id, amount, currency });
  }

  async pay(...[batch, id, { amount, currency }]: Parameters<Invoices['pay']>): ReturnType<Invoices['pay']> {
    const { paper, record } = await this.#find(id);
    if (paper.currency !== currency)
      throw coded('CURRENCY_MISMATCH', `the invoice is in ${paper.currency}, the payment in ${currency}`);
    const open = openOf(paper, record);
    const owed = open + givenUpOf(record);
    if (amount > owed) throw coded('AMOUNT_INVALID', `${owed} are to be paid, in minor units, not ${amount}`);
    const recovered = Math.max(0, amount - open);
    const after = {
      ...{ ...record, paid: record.paid + amount },
      ...(recovered > 0 && { recovered: (record.recovered ?? 0) + recovered }),
    };
    batch.change(this.#records.invoices.putOperation(id, after));
    const invoice = viewOf(paper, after);
    const isNews = invoice.status === 'paid' && viewOf(paper, record).status !== 'paid';
    if (isNews) batch.tell('invoice.paid', paper.account, { invoice: id, currency });
    return { invoice, recovered };
  }

  async creditOf(account: string, currency: string): Promise<number> {
    const balances = await this.#records.books.balances({ account: creditAccount(account) });
    return -(balances.find((balance) => balance.currency === currency)?.amount ?? 0) + 0;
  }

  async freeCreditOf(
    account: string,
    currency: string,
    { amount, spent }: FreshCredit = { amount: 0, spent: 0 },
  ): Promise<number> {
    let free = (await this.creditOf(account, currency)) + amount - spent;
    for await (const { value } of this.#records.disputedOf.all(`${account}:`))
      if (value.currency === currency) free -= value.held;
    return Math.max(0, free);
  }

  async view(id: string): Promise<InvoiceView> {
    const { paper, record } = await this.#find(id);
    return viewOf(paper, record);
  }

  async list(...[{ account, after, limit }]: Parameters<Invoices['list']>): Promise<InvoiceView[]> {
    const { books, invoicesOf } = this.#records;
    if (account === undefined) {
      const papers = await books.papers(invoiceSeries, { after, limit });
      return Promise.all(papers.map(({ id }) => this.view(id)));
    }
    const range = { prefix: `${account}:`, after: `${account}:${ordered(after)}`, limit };
    return Promise.all((await invoicesOf.scan(range)).map(({ value }) => this.view(value.id)));
  }

  async creditNotes(...[{ account, after, limit }]: Parameters<Invoices['creditNotes']>) {
    const { books, creditNotesOf } = this.#records;
    if (account === undefined)
      return (await books.papers(creditNoteSeries, { after, limit })).map(({ value }) => noteOf(value));
    const range = { prefix: `${account}:`, after: `${account}:${ordered(after)}`, limit };
    const found = await creditNotesOf.scan(range);
    return Promise.all(found.map(({ value }) => this.creditNote(value.id)));
  }

  async creditNote(id: string): Promise<CreditNotePaper> {
    const entry = await this.#records.books.paper(id);
    if (entry?.series !== creditNoteSeries) throw coded('NOT_FOUND', `there is no credit note ${id}`);
    return noteOf(entry.value);
  }

  /**
   * Holds what a credit note adds to the credit of money that is disputed: of payments of the invoice, and of payments that were credit, as far as
   * credit paid it. Gives how much that is.
   */
  async #hold(
    batch: Batch,
    { id, account, currency, creditApplied }: InvoicePaper,
    toCredit: number,
  ): Promise<number> {
    const { disputedOf, payments } = this.#records;
    const [ofInvoice, ofCredit]: [HeldOf[], HeldOf[]] = [[], []];
    for await (const { key, value } of disputedOf.all(`${account}:`)) {
      const payment = (await payments.get(value.payment))?.value;
      const one = { key, value, disputed: payment?.disputed ?? 0, held: value.held };
      if (value.currency !== currency) continue;
      if (payment?.invoice === id) ofInvoice.push(one);
      else if (payment?.toCredit !== undefined) ofCredit.push(one);
    }
    const first = heldOfNote(ofInvoice, toCredit);
    const left = toCredit - first.reduce((sum, one) => sum + one, 0);
    const added = [...first, ...heldOfNote(ofCredit, Math.min(left, creditApplied))];
    for (const [index, { key, value, held }] of [...ofInvoice, ...ofCredit].entries())
      batch.change(disputedOf.putOperation(key, { ...value, held: held + (added[index] ?? 0) }));
    return added.reduce((sum, one) => sum + one, 0);
  }

  async #find(id: string): Promise<{ paper: InvoicePaper; record: InvoiceRecord }> {
    const { books, invoices } = this.#records;
    const [entry, state] = await Promise.all([books.paper(id), invoices.get(id)]);
    if (entry?.series !== invoiceSeries || state === undefined) throw coded('INVOICE_UNKNOWN', id);
    const paper = parseAs(InvoicePaper, entry.value, { what: 'an invoice', code: 'STORE_CORRUPT' });
    return { paper, record: state.value };
  }
}

function noteOf(value: unknown): CreditNotePaper {
  return parseAs(CreditNotePaper, value, { what: 'a credit note', code: 'STORE_CORRUPT' });
}

function openOf({ gross, creditApplied }: InvoicePaper, record: InvoiceRecord): number {
  const { paid, recovered = 0, creditedOpen, writtenOff, waived = 0 } = record;
  return gross - creditApplied - (paid - recovered) - creditedOpen - writtenOff - waived;
}

/** What of an invoice was given up, and neither credited nor paid since. */
function givenUpOf({ writtenOff, waived = 0, creditedGivenUp = 0, recovered = 0 }: InvoiceRecord): number {
  return writtenOff + waived - creditedGivenUp - recovered;
}

/** What of the credit notes over an invoice has gone to its account's credit. */
export function creditedToAccount({ credited, creditedOpen, creditedGivenUp = 0 }: InvoiceRecord): number {
  return credited.gross - creditedOpen - creditedGivenUp;
}

function viewOf(paper: InvoicePaper, record: InvoiceRecord): InvoiceView {
  const open = openOf(paper, record);
  const { writtenOff, waived = 0, recovered = 0 } = record;
  const isGivenUp = (writtenOff > 0 || waived === paper.gross) && recovered < writtenOff + waived;
  const status = open > 0 ? 'open' : isGivenUp ? 'uncollectible' : 'paid';
  const givenUp = givenUpOf(record);
  const view = { ...paper, status, paid: record.paid, credited: record.credited.gross, open } as const;
  return givenUp > 0 ? { ...view, givenUp } : view;
}

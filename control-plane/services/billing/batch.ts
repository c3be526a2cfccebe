import type {
  Books,
  Booking,
  Paper,
  RecordOperation,
  RecordValue,
} from '../../../common/adapters/records/port.ts';
import type { BillingEventType } from '../../../common/contract/webhooks.ts';
import type { LedgerTransaction } from '../../../common/core/ledger.ts';

/** Something that others may want to hear of; `data` is JSON, with ids rather than what they stand for. */
export interface BillingEvent {
  readonly type: BillingEventType;
  readonly account: string;
  readonly data: object;
}

/**
 * What is to be booked in one commit, in the making. Who decides reads the records and adds here what shall change; nothing is written
 * before all of it is. Only one is made at a time, so that the numbers of papers and what was read stay true.
 */
export class Batch {
  readonly #books: Books;
  readonly #operations: RecordOperation[] = [];
  readonly #transactions: LedgerTransaction[] = [];
  readonly #papers: Paper[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #touched = new Set<string>();
  readonly #told: BillingEvent[] = [];
  readonly #read = new Map<string, Promise<unknown>>();
  #owed = 0;

  constructor(books: Books) {
    this.#books = books;
  }

  /** Accounts of which the entitlements may be others afterwards. */
  get touched(): ReadonlySet<string> {
    return this.#touched;
  }

  /** What others shall hear of when this is booked. */
  get told(): readonly BillingEvent[] {
    return this.#told;
  }

  tell(type: BillingEventType, account: string, data: object): void {
    this.#told.push({ type, account, data });
  }

  /** What of its invoices is to be paid. */
  get owed(): number {
    return this.#owed;
  }

  owe(amount: number): void {
    this.#owed += amount;
  }

  touch(account: string): void {
    this.#touched.add(account);
  }

  change(...operations: readonly RecordOperation[]): void {
    this.#operations.push(...operations);
  }

  post(transactions: readonly LedgerTransaction[]): void {
    this.#transactions.push(...transactions);
  }

  /** Reads once for all of the batch what it does not change: `what` names it, always with the same type. */
  async readOnce<T>(what: string, read: () => Promise<T>): Promise<T> {
    const reading = this.#read.get(what) ?? read();
    this.#read.set(what, reading);
    return (await reading) as T;
  }

  /** The number that the next paper of a series gets. */
  async nextNumber(series: string): Promise<number> {
    const last = this.#numbers.get(series) ?? (await this.#books.lastNumber(series));
    this.#numbers.set(series, last);
    return last + 1;
  }

  /** Writes a paper with the number that `nextNumber` gave. */
  write(series: string, value: RecordValue & { readonly id: string; readonly number: number }): void {
    const { id, number } = value;
    this.#numbers.set(series, number);
    this.#papers.push({ series, number, id, value });
  }

  /** Books it. Errors: those of books. */
  async book(): Promise<void> {
    const booking: Booking = {
      operations: this.#operations,
      transactions: this.#transactions,
      papers: this.#papers,
    };
    await this.#books.book(booking);
  }
}

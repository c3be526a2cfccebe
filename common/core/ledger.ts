import { createHash } from 'node:crypto';
import { currencyDecimals } from './currency.ts';
import { amountMax } from './money.ts';
import { ok, refused, type Result } from './result.ts';

/** One line of a transaction: what an account has more, or, below zero, less (debit positive, credit negative). */
export interface LedgerEntry {
  /** Words apart by colons, from the general to the particular: `receivable:usr_1`. */
  readonly account: string;
  /** ISO 4217. */
  readonly currency: string;
  /** In minor units, never zero. */
  readonly amount: number;
}

/** Entries that belong together and sum to zero in each currency: what one has more, another has less. */
export interface LedgerTransaction {
  /** Chosen by whoever posts it, once for ever. */
  readonly id: string;
  readonly atMs: number;
  /** What happened: `invoice`, `payment`. */
  readonly kind: string;
  /** For people. */
  readonly memo: string;
  readonly entries: readonly LedgerEntry[];
}

/** A transaction has at most so many entries, so that their sums are exact. */
export const entriesMax = 80;

const accountPattern = /^[a-z][a-z-]{0,31}(:[A-Za-z0-9_.-]{1,64}){0,3}$/;
const idPattern = /^[A-Za-z0-9_.:-]{1,128}$/;
const kindPattern = /^[a-z][a-z-]{0,31}$/;
const memoLengthMax = 200;

/** Passes a transaction that may be posted. Refuses LEDGER_INVALID, LEDGER_UNBALANCED, AMOUNT_INVALID, CURRENCY_UNKNOWN. */
export function checkTransaction(transaction: LedgerTransaction): Result<LedgerTransaction> {
  const { id, atMs, kind, memo, entries } = transaction;
  if (!idPattern.test(id)) return refused('LEDGER_INVALID', `${id.slice(0, 40)} is no id of a transaction`);
  if (!kindPattern.test(kind))
    return refused('LEDGER_INVALID', `${kind.slice(0, 40)} is no kind of transaction`);
  if (!Number.isSafeInteger(atMs) || atMs < 0) return refused('LEDGER_INVALID', `${id}: its time is none`);
  if (memo.length > memoLengthMax) return refused('LEDGER_INVALID', `${id}: its memo is too long`);
  if (entries.length < 2 || entries.length > entriesMax)
    return refused('LEDGER_INVALID', `${id} has ${entries.length} entries, and not 2 to ${entriesMax}`);
  const sums = new Map<string, number>();
  for (const { account, currency, amount } of entries) {
    if (!accountPattern.test(account))
      return refused('LEDGER_INVALID', `${account.slice(0, 40)} is no name of a ledger's account`);
    if (currencyDecimals(currency) === undefined) return refused('CURRENCY_UNKNOWN', currency.slice(0, 20));
    if (!Number.isSafeInteger(amount) || amount === 0 || Math.abs(amount) > amountMax)
      return refused('AMOUNT_INVALID', `${id}: ${amount} ${currency} in ${account}`);
    sums.set(currency, (sums.get(currency) ?? 0) + amount);
  }
  const [off] = [...sums].filter(([, sum]) => sum !== 0);
  return off === undefined
    ? ok(transaction)
    : refused('LEDGER_UNBALANCED', `${id}: its entries sum to ${off[1]} ${off[0]} (minor units)`);
}

/**
 * The SHA-256 of an item behind that of the one before it: who changes or takes out an earlier one has to change every hash that follows.
 * The first has an empty one before it.
 */
export function chainHash(before: Uint8Array, item: readonly unknown[]): Buffer {
  return createHash('sha256').update(before).update(JSON.stringify(item)).digest();
}

/** What of a transaction goes into its hash. */
export function hashedTransaction({ id, atMs, kind, memo, entries }: LedgerTransaction): readonly unknown[] {
  return [id, atMs, kind, memo, entries.map(({ account, currency, amount }) => [account, currency, amount])];
}

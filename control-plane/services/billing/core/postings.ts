import type { LedgerEntry, LedgerTransaction } from '../../../../common/core/ledger.ts';
import type { DisputeState, disputeLines } from './dispute.ts';
import type { TaxAmount } from './invoice.ts';

// The chart of accounts. What an account of ours has more is positive (debit): receivable and cash are what we have, credit and tax what
// we owe, revenue what we earned.
const receivable = (account: string): string => `receivable:${account}`;
const revenue = (plan: string): string => `revenue:${plan}`;
const cash = (provider: string): string => `cash:${provider}`;
/** What a provider was told to give back and has not yet. */
const transit = (provider: string): string => `transit:${provider}`;

/** What we owe an account for what it paid and did not get. */
export const creditAccount = (account: string): string => `credit:${account}`;

/** Whose money it is, and what it is for. */
export interface Posted {
  /** Of the paper or payment. */
  readonly id: string;
  readonly account: string;
  readonly currency: string;
  readonly plan: string;
  readonly country: string;
  readonly region?: string | undefined;
}

/** An invoice: the account owes its gross amount, less what of its credit is used up. Nothing is posted for an invoice of nothing. */
export function invoicePosting(
  about: Posted & { atMs: number; number: number },
  amounts: { net: number; gross: number; taxes: readonly TaxAmount[]; creditApplied: number },
): LedgerTransaction[] {
  const { net, gross, taxes, creditApplied } = amounts;
  return transaction('invoice', { ...about, memo: `invoice ${about.number}` }, [
    [receivable(about.account), gross - creditApplied],
    [creditAccount(about.account), creditApplied],
    [revenue(about.plan), -net],
    ...taxes.map(({ name, amount }) => [taxAccount(about, name), -amount] as const),
  ]);
}

/** A credit note: first off what is still owed of the invoice, then off what of it was given up; the rest is the account's credit. */
export function creditNotePosting(
  about: Posted & { atMs: number; number: number },
  amounts: {
    net: number;
    gross: number;
    taxes: readonly TaxAmount[];
    offOpen: number;
    offGivenUp: number;
  },
): LedgerTransaction[] {
  const { net, gross, taxes, offOpen, offGivenUp } = amounts;
  return transaction('credit-note', { ...about, memo: `credit note ${about.number}` }, [
    [revenue(about.plan), net],
    ...taxes.map(({ name, amount }) => [taxAccount(about, name), amount] as const),
    [receivable(about.account), -offOpen],
    ['write-offs', -offGivenUp],
    [creditAccount(about.account), offOpen + offGivenUp - gross],
  ]);
}

interface Moved {
  readonly id: string;
  readonly account: string;
  readonly currency: string;
  readonly amount: number;
  readonly atMs: number;
  readonly memo: string;
}

/** Money that came: for an invoice, `recovered` of it after it was given up, or, `toCredit` of it, for nothing that was owed. */
export function paymentPosting({
  amount,
  toCredit,
  recovered,
  ...moved
}: Moved & { provider: string; toCredit: number; recovered: number }): LedgerTransaction[] {
  return transaction('payment', moved, [
    [cash(moved.provider), amount],
    [receivable(moved.account), toCredit + recovered - amount],
    ['write-offs', -recovered],
    [creditAccount(moved.account), -toCredit],
  ]);
}

/** Money that goes back, of the account's credit. */
export function refundPosting({ amount, ...moved }: Moved & { provider: string }): LedgerTransaction[] {
  return transaction('refund', moved, [
    [creditAccount(moved.account), amount],
    [cash(moved.provider), -amount],
  ]);
}

/** Money that a provider is told to give back: nobody can use it up meanwhile. */
export function refundBegunPosting({ amount, ...moved }: Moved & { provider: string }): LedgerTransaction[] {
  return transaction('refund', moved, [
    [creditAccount(moved.account), amount],
    [transit(moved.provider), -amount],
  ]);
}

/** It has given it back, or it could not, and the account has its credit again. */
export function refundEndedPosting(
  { amount, ...moved }: Moved & { provider: string },
  outcome: 'done' | 'failed',
): LedgerTransaction[] {
  return transaction(`refund-${outcome}`, moved, [
    [transit(moved.provider), amount],
    [outcome === 'done' ? cash(moved.provider) : creditAccount(moved.account), -amount],
  ]);
}

/** It had given it back, and the money has come back to it since: the account has its credit again. */
export function refundReturnedPosting({
  amount,
  ...moved
}: Moved & { provider: string }): LedgerTransaction[] {
  return transaction('refund-returned', moved, [
    [cash(moved.provider), amount],
    [creditAccount(moved.account), -amount],
  ]);
}

/** Money that a bank has taken back for somebody, or has given back to us, or that is lost. */
export function disputePosting(
  { amount, provider, ...moved }: Omit<Moved, 'account'> & { provider: string },
  { state, lines }: { state: DisputeState; lines: ReturnType<typeof disputeLines> },
): LedgerTransaction[] {
  if (lines === undefined) return [];
  const accounts = { cash: cash(provider), disputed: `disputed:${provider}`, lost: 'chargebacks' };
  return transaction(`dispute-${state}`, moved, [
    [accounts[lines.to], amount],
    [accounts[lines.from], -amount],
  ]);
}

/** What nobody is expected to pay any more. */
export function writeOffPosting({ amount, ...moved }: Moved): LedgerTransaction[] {
  return transaction('write-off', moved, [
    ['write-offs', amount],
    [receivable(moved.account), -amount],
  ]);
}

/** What a provider takes nothing of, as it is too little; `waivedBefore` of the same invoice. */
export function waiverPosting(
  { amount, ...moved }: Moved,
  { waivedBefore }: { waivedBefore: number },
): LedgerTransaction[] {
  return transaction('waiver', { ...moved, id: `${moved.id}.${waivedBefore}` }, [
    ['write-offs', amount],
    [receivable(moved.account), -amount],
  ]);
}

function taxAccount({ country, region }: Pick<Posted, 'country' | 'region'>, name: string): string {
  const place = region === undefined ? country : `${country}-${region}`;
  // Names come from people; one of other scripts alone becomes dashes, and shares an account with its like.
  return `tax:${place}:${name.replaceAll(/[^A-Za-z0-9_.-]/g, '-').slice(0, 64)}`;
}

function transaction(
  kind: string,
  { id, atMs, currency, memo }: { id: string; atMs: number; currency: string; memo: string },
  lines: readonly (readonly [account: string, amount: number])[],
): LedgerTransaction[] {
  const entries: LedgerEntry[] = lines
    .filter(([, amount]) => amount !== 0)
    .map(([account, amount]) => ({ account, currency, amount }));
  return entries.length === 0 ? [] : [{ id: `${kind}:${id}`, atMs, kind, memo: memo.slice(0, 200), entries }];
}

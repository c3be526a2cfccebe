import type { BillingEventType } from '../../../../common/contract/webhooks.ts';

/** `open`: the bank has taken the money back until it is decided; `lost`: for good; `won`: it is ours again. */
export type DisputeState = 'open' | 'lost' | 'won';

/** Where the money of a dispute is: with the provider's bank, given up, or in our cash, as before it. */
type Place = 'cash' | 'disputed' | 'lost';

const placeOf: Readonly<Record<DisputeState, Place>> = { open: 'disputed', lost: 'lost', won: 'cash' };

/** What is told of each state. */
export const disputeEvents = {
  open: 'payment.disputed',
  lost: 'payment.dispute_lost',
  won: 'payment.dispute_won',
} as const satisfies Record<DisputeState, BillingEventType>;

/** From where to where the money goes; nowhere where it stays. */
export function disputeLines(
  before: DisputeState | undefined,
  after: DisputeState,
): { from: Place; to: Place } | undefined {
  const [from, to] = [before === undefined ? 'cash' : placeOf[before], placeOf[after]];
  return from === to ? undefined : { from, to };
}

/** Whether what was told says nothing new: what was decided against us may turn, what was won stays. */
export function isOver(before: DisputeState | undefined, after: DisputeState): boolean {
  return before === after || before === 'won' || (before === 'lost' && after === 'open');
}

/** What of an amount under dispute is not ours, or is not yet again. */
export function takenBack(state: DisputeState | undefined, amount: number): number {
  return state === 'open' || state === 'lost' ? amount : 0;
}

/** A payment under dispute, as it is held: `held` of the account's credit, which came of it. */
export interface HeldPayment {
  /** Under dispute before and now. */
  readonly before: number;
  readonly disputed: number;
  readonly held: number;
  /** What of it, or of the invoice that it paid, has ever gone to the account's credit. */
  readonly toCredit: number;
}

/**
 * What of an account's credit is held for a payment from now on, neither spent nor given back: no more is added than is newly disputed, than
 * came of it, and than stands unspent (`free`). What was spent before it was heard of is gone, and other money is not withheld for it.
 */
export function heldFrom({ before, disputed, held, toCredit }: HeldPayment, free: number): number {
  const more = Math.max(0, Math.min(disputed - before, toCredit - held, free));
  return Math.min(disputed, held + more);
}

/** What is held besides of a credit note, over `toCredit`, on an invoice which these payments have paid: of each no more than is disputed. */
export function heldOfNote(
  payments: readonly { readonly disputed: number; readonly held: number }[],
  toCredit: number,
): number[] {
  let left = toCredit;
  return payments.map(({ disputed, held }) => {
    const more = Math.min(left, Math.max(0, disputed - held));
    left -= more;
    return more;
  });
}

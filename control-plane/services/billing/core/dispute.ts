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

/** A payment under dispute, with what of its invoice has gone to the account's credit. */
export interface DisputedPayment {
  readonly disputed?: number | undefined;
  readonly toCredit?: number | undefined;
  readonly invoiceToCredit: number;
}

/**
 * What of an account's credit came of money that a bank has taken back, and so is neither spent nor given back: of each payment no more than
 * is disputed, and than went to the credit of it or of its invoice.
 */
export function heldOf(payments: readonly DisputedPayment[]): number {
  return payments.reduce(
    (sum, { disputed = 0, toCredit = 0, invoiceToCredit }) =>
      sum + Math.min(disputed, toCredit + invoiceToCredit),
    0,
  );
}

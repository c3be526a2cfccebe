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

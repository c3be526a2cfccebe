/** What a payment was asked for. */
interface Asked {
  /** Our id of the invoice. */
  readonly invoice: string;
  readonly account: string;
  /** How often it was tried before: the same invoice and attempt is charged once, however often it is sent. */
  readonly attempt: number;
}

/** Money to be taken from an account without its being there. */
export interface ProviderCharge extends Asked {
  readonly customer: string;
  readonly method: string;
  /** In minor units of ISO 4217. */
  readonly amount: number;
  readonly currency: string;
}

/** What has become of a charge. */
export type ChargeOutcome =
  | { readonly kind: 'paid'; readonly payment: string; readonly amount: number; readonly currency: string }
  /** `isFinal`: the same way of paying will not do another time either. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isFinal: boolean }
  /** Told later, by a notice. */
  | { readonly kind: 'pending' };

/**
 * What has become of a charge that was just sent. `refused`: our key or what was sent is at fault, and nothing is out by it. `too-small`: it is
 * less than the provider takes at all, by whatever way of paying.
 */
export type SentOutcome =
  ChargeOutcome | { readonly kind: 'refused'; readonly reason: string } | { readonly kind: 'too-small' };

/** Money to be given back of a payment. */
export interface ProviderRefund {
  /** Our id, by which it is given back once. */
  readonly refund: string;
  readonly payment: string;
  readonly amount: number;
  readonly currency: string;
}

export type RefundOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'pending' };

/** What a provider tells by itself. Notices come late, twice and in any order. */
export type ProviderNotice = { readonly id: string; readonly customer: string } & (
  | { readonly kind: 'charge'; readonly asked: Asked; readonly outcome: ChargeOutcome }
  | { readonly kind: 'refund'; readonly refund: string; readonly outcome: RefundOutcome }
  | {
      readonly kind: 'dispute';
      /** The provider's ids. */
      readonly dispute: string;
      readonly payment: string;
      readonly amount: number;
      readonly currency: string;
      /** Taken back until it is decided, for good, or not any more. */
      readonly state: 'open' | 'lost' | 'won';
    }
  | {
      readonly kind: 'method';
      readonly account: string;
      readonly method: string;
      readonly atMs: number;
    }
  | { readonly kind: 'method-gone'; readonly method: string }
);

/**
 * Whoever takes money from cards and accounts. Errors of all calls: PROVIDER_UNREACHABLE (ask again, nothing may have been done or all
 * of it), PROVIDER_REFUSED (our key or what was sent is at fault; of `charge`: it could not be looked up what became of it before).
 */
export interface PaymentProvider {
  /** As the ledger names its cash: `stripe`. */
  readonly name: string;
  /** What of an amount (minor units of ISO 4217) it can take: in its steps, and nothing below its minimum. What it says to a charge may be less. */
  takes(amount: number, currency: string): number;
  /** Makes the account known to the provider, once; gives its id there. */
  createCustomer(account: string): Promise<string>;
  /** Forgets a customer with all ways of paying; one that is gone does no harm. */
  removeCustomer(customer: string): Promise<void>;
  /** Address of a page on which a person says how to pay; it leads back to `returnUrl`, and a notice of `method` comes. */
  setupPage(order: { customer: string; account: string; returnUrl: string }): Promise<string>;
  /** `isRepeat`: it may have been sent before, however long ago, and what became of it then is what counts. */
  charge(charge: ProviderCharge, options: { isRepeat: boolean }): Promise<SentOutcome>;
  /** What became of a charge that may have been sent; undefined where it never was, or its answer is too long ago to be found. */
  findCharge(charge: ProviderCharge): Promise<ChargeOutcome | undefined>;
  /** Gives back once for its id, however long ago it was first asked for; `failed` too where the amount cannot be given. */
  refund(refund: ProviderRefund): Promise<RefundOutcome>;
  /**
   * Reads a notice, byte for byte as it came; undefined for one that says nothing to us. Errors: WEBHOOK_SIGNATURE_INVALID, WEBHOOK_STALE,
   * WEBHOOK_FOREIGN.
   */
  readNotice(body: Buffer, signature: string, nowMs: number): ProviderNotice | undefined;
}

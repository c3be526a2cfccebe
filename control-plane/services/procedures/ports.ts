import type { PlanChangeRequest, SubscriptionRequest } from '../../../common/contract/billing.ts';
import type { SignUpRequest } from '../../../common/contract/procedures.ts';

/** An account that is made but not kept yet: with its id, and what its password was hashed to. */
export interface AccountDraft {
  readonly id: string;
}

/** What procedures need of accounts. */
export interface ProcedureAccounts {
  /** PASSWORD_WEAK. */
  draft(request: Pick<SignUpRequest, 'email' | 'name' | 'password'>): Promise<AccountDraft>;
  /** Keeps a draft, once. EMAIL_TAKEN. */
  keep(draft: AccountDraft): Promise<void>;
  erase(id: string): Promise<void>;
}

/** What procedures need of profiles. */
export interface ProcedureProfiles {
  /** Adds the first profile of an account, once; INVALID for a name. */
  addFirst(account: string, name: string): Promise<void>;
  eraseOf(account: string): Promise<void>;
}

/** What procedures need of billing; each is done once for its key. */
export interface ProcedureBilling {
  /** Makes the account known to the payment provider, where there is one. */
  enrol(account: string): Promise<void>;
  forget(account: string): Promise<void>;
  /** @returns the subscription's id. Errors: those of subscribing. */
  subscribe(request: SubscriptionRequest, key: string): Promise<string>;
  end(subscription: string, key: string): Promise<void>;
  /** Whose a subscription is, and what a change of plan would have to be paid now. Errors: those of the change. */
  quote(
    subscription: string,
    request: PlanChangeRequest,
  ): Promise<{ account: string; amount: number; currency: string; atMs: number }>;
  /**
   * Takes money for the account's credit, by the provider. Errors: PAYMENT_FAILED, PAYMENT_METHOD_MISSING, PAYMENTS_OFF;
   * PROVIDER_UNREACHABLE, UNAVAILABLE where it is not known yet. @returns the payment's id; undefined for nothing to take.
   */
  prepay(
    order: { account: string; amount: number; currency: string },
    key: string,
  ): Promise<string | undefined>;
  /** Gives a prepayment back the way it came. */
  giveBack(payment: string, key: string): Promise<void>;
  /** As of the moment of its quote. */
  changePlan(
    order: { subscription: string; change: PlanChangeRequest; atMs: number },
    key: string,
  ): Promise<void>;
}

import type { PlanChangeRequest, SubscriptionRequest } from '../../../common/contract/billing.ts';
import { SignUpRequest } from '../../../common/contract/procedures.ts';
import { Type } from '../../../common/contract/type.ts';
import { defineInterface, Nothing, type Calls } from '../../apart/interface.ts';

const Account = Type.Object({ account: Type.String({ maxLength: 200 }) });
/** An account that is made but not kept yet: with its id, and what its password was hashed to. */
const AccountDraft = Type.Object({ id: Type.String({ maxLength: 200 }) }, { additionalProperties: true });

/** What procedures need of accounts. */
export const procedureAccounts = defineInterface({
  service: 'core',
  name: 'procedure-accounts',
  verbs: {
    /** Errors: PASSWORD_WEAK, OVERLOADED. */
    draft: {
      ask: Type.Pick(SignUpRequest, ['email', 'name', 'password']),
      answer: AccountDraft,
      isRepeatable: true,
    },
    /** Keeps a draft, once. Errors: EMAIL_TAKEN. */
    keep: { ask: AccountDraft, answer: Nothing, isRepeatable: true },
    erase: { ask: Account, answer: Nothing, isRepeatable: true },
  },
});
export type ProcedureAccounts = Calls<typeof procedureAccounts>;

/** What procedures need of profiles. */
export const procedureProfiles = defineInterface({
  service: 'users',
  name: 'procedure-profiles',
  verbs: {
    /** Adds the first profile of an account, once. Errors: INVALID for a name. */
    addFirst: {
      ask: Type.Object({ ...Account.properties, name: Type.String({ maxLength: 200 }) }),
      answer: Nothing,
      isRepeatable: true,
    },
    eraseOf: { ask: Account, answer: Nothing, isRepeatable: true },
  },
});
export type ProcedureProfiles = Calls<typeof procedureProfiles>;

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

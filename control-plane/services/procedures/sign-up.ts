import { SubscriptionRequest } from '../../../common/contract/billing.ts';
import { SignUpRequest } from '../../../common/contract/procedures.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { assert } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import type { Procedure } from './durable-steps.ts';
import type { ProcedureAccounts, ProcedureBilling, ProcedureProfiles } from './ports.ts';

const SignUpState = Type.Object({
  account: Type.Object({ id: Type.String() }, { additionalProperties: true }),
  profile: Type.String(),
  terms: SubscriptionRequest,
  subscription: Type.Optional(Type.String()),
});
type SignUpState = Static<typeof SignUpState>;

export interface SignUpPorts {
  accounts: ProcedureAccounts;
  profiles: ProcedureProfiles;
  billing: ProcedureBilling;
}

/** A household signs up: its account, a profile, the payment provider's customer, the subscription. */
export function signUpProcedure({ accounts, profiles, billing }: SignUpPorts): Procedure<SignUpState> {
  return {
    name: 'sign-up',
    parse: (state) => parseAs(SignUpState, state, { what: 'a sign-up', code: 'STORE_CORRUPT' }),
    steps: [
      {
        name: 'account',
        do: async ({ account }) => {
          await accounts.keep(account);
          return {};
        },
        undo: async ({ account }) => {
          await accounts.erase({ account: account.id });
        },
      },
      {
        name: 'profile',
        do: async ({ account, profile }) => {
          await profiles.addFirst({ account: account.id, name: profile });
          return {};
        },
        undo: async ({ account }) => {
          await profiles.eraseOf({ account: account.id });
        },
      },
      {
        name: 'customer',
        do: async ({ account }) => {
          await billing.enrol(account.id);
          return {};
        },
        undo: ({ account }) => billing.forget(account.id),
      },
      {
        name: 'subscription',
        do: async ({ terms }, key) => ({ subscription: await billing.subscribe(terms, key) }),
        undo: async ({ subscription }, key) => {
          if (subscription !== undefined) await billing.end(subscription, `${key}:undo`);
        },
      },
    ],
    answer: ({ account, subscription }) => {
      assert(subscription !== undefined, 'the last step gives it');
      return { account: account.id, subscription };
    },
    accountOf: ({ account }) => account.id,
  };
}

/** What a sign-up starts with. PASSWORD_WEAK. */
export async function beginSignUp(
  { email, name, password, profile = name, ...terms }: SignUpRequest,
  accounts: ProcedureAccounts,
): Promise<SignUpState> {
  const account = await accounts.draft({ email, name, password });
  return { account, profile, terms: { ...terms, account: account.id } };
}

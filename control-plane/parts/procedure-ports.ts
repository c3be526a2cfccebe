import type { Calls } from '../apart/interface.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { AccountRecord } from '../services/auth/records.ts';
import type { Auth } from '../services/auth/service.ts';
import type { Billing } from '../services/billing/service.ts';
import type { ProcedureBilling, procedureAccounts, procedureProfiles } from '../services/procedures/ports.ts';
import type { Users } from '../services/users/service.ts';

/** Answers what procedures ask of accounts: viewers', whatever a service that is broken into may ask. */
export function answerProcedureAccounts({
  accounts,
  personal,
}: Pick<Auth, 'accounts' | 'personal'>): Calls<typeof procedureAccounts> {
  return {
    draft: async (request) => ({ ...(await accounts.draft({ ...request, role: 'viewer' })) }),
    keep: async (draft) => {
      const account = parseAs(AccountRecord, draft, { what: 'an account', code: 'STORE_CORRUPT' });
      await accounts.keep({ ...account, role: 'viewer', sites: [] });
      return {};
    },
    erase: async ({ account }) => {
      const { role = 'viewer' } = (await accounts.find(account)) ?? {};
      if (role !== 'viewer')
        throw coded('CONFLICT', `${account} is no viewer: procedures made none of these`);
      await personal.erase(account);
      return {};
    },
  };
}

/** Answers what procedures ask of profiles. */
export function answerProcedureProfiles(
  users: Pick<Users, 'profiles' | 'add' | 'personal'>,
): Calls<typeof procedureProfiles> {
  return {
    addFirst: async ({ account, name }) => {
      if ((await users.profiles(account)).length === 0)
        await users.add(account, { name }, { accountId: account, unlock: undefined });
      return {};
    },
    eraseOf: async ({ account }) => {
      await users.personal.erase(account);
      return {};
    },
  };
}

/** Billing as procedures use it. */
export function procedureBilling(billing: Billing): ProcedureBilling {
  const { payers, subscriptions, prepayments } = billing;
  const caller = 'procedures';
  return {
    enrol: (account) => payers.enrol(account),
    forget: (account) => payers.erase(account),
    subscribe: async (request, key) =>
      (await billing.once({ caller, key, request }, (batch) => subscriptions.add(batch, request))).id,
    end: async (subscription, key) => {
      await billing.once({ caller, key, request: subscription, subscription }, (batch) =>
        subscriptions.cancel(batch, subscription, 'now'),
      );
    },
    quote: async (subscription, request) => {
      const { atMs, owed: amount } = await billing.quote(subscription, (batch) =>
        subscriptions.changePlan(batch, subscription, request),
      );
      const { account, price } = await subscriptions.view(subscription);
      return { account, amount, currency: price.currency, atMs };
    },
    prepay: (order, key) => prepayments.take(order, key),
    giveBack: (payment, key) => prepayments.giveBack(payment, key),
    changePlan: async ({ subscription, change, atMs }, key) => {
      await billing.once({ caller, key, request: change, subscription }, (batch) =>
        subscriptions.changePlan(batch, subscription, { ...change, atMs }),
      );
    },
  };
}

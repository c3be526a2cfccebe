import { parseAs } from '../../common/runtime/parse.ts';
import { AccountRecord } from '../services/auth/records.ts';
import type { Auth } from '../services/auth/service.ts';
import type { Billing } from '../services/billing/service.ts';
import type { ProcedureBilling } from '../services/procedures/ports.ts';
import type { SignUpPorts } from '../services/procedures/sign-up.ts';
import type { Users } from '../services/users/service.ts';

/** The services as procedures use them. */
export function procedurePorts(services: {
  auth: Pick<Auth, 'accounts' | 'personal'>;
  users: Pick<Users, 'profiles' | 'add' | 'personal'>;
  billing: Billing;
}): SignUpPorts {
  const { auth, users } = services;
  return {
    accounts: {
      draft: (request) => auth.accounts.draft({ ...request, role: 'viewer' }),
      keep: async (draft) => {
        await auth.accounts.keep(
          parseAs(AccountRecord, draft, { what: 'an account', code: 'STORE_CORRUPT' }),
        );
      },
      erase: (id) => auth.personal.erase(id),
    },
    profiles: {
      addFirst: async (account, name) => {
        if ((await users.profiles(account)).length > 0) return;
        await users.add(account, { name }, { accountId: account, unlock: undefined });
      },
      eraseOf: (account) => users.personal.erase(account),
    },
    billing: billingPort(services.billing),
  };
}

function billingPort(billing: Billing): ProcedureBilling {
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

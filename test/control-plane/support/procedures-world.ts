import { join } from 'node:path';
import { openStripeProvider } from '../../../common/adapters/payments/open.ts';
import { openBooks, openRecords } from '../../../common/adapters/records/open.ts';
import { openViewing } from '../../../common/adapters/viewing/open.ts';
import type { SignUpRequest } from '../../../common/contract/procedures.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import {
  answerProcedureAccounts,
  answerProcedureProfiles,
  procedureBilling,
} from '../../../control-plane/parts/procedure-ports.ts';
import { createAccounts } from '../../../control-plane/services/auth/accounts.ts';
import { openAuthRecords } from '../../../control-plane/services/auth/records.ts';
import { createBilling } from '../../../control-plane/services/billing/service.ts';
import type { PersonalData } from '../../../control-plane/services/personal-data.ts';
import { createPrivacy } from '../../../control-plane/services/privacy/service.ts';
import { openProcedures, type Procedure } from '../../../control-plane/services/procedures/durable-steps.ts';
import {
  beginPlanChange,
  paidPlanChange,
} from '../../../control-plane/services/procedures/paid-plan-change.ts';
import { beginSignUp, signUpProcedure } from '../../../control-plane/services/procedures/sign-up.ts';
import { createUsers } from '../../../control-plane/services/users/service.ts';
import { webhookSecret } from '../../support/stripe-server.ts';
import { planOf, quiet } from './billing-lab.ts';

export const email = 'ada@example.com';
const place = { currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin' };
const household: SignUpRequest = {
  ...{ email, name: 'Ada', password: 'seven grey elephants knit', profile: 'Zoë' },
  ...{ plan: 'basic', ...place },
};
const by = { caller: 'the operator', key: 'k1' };

/** What is called around each step, in whichever direction: `sign-up account do before`. */
export type Around = (moment: string) => Promise<void> | void;

/** Everything that procedures touch, over files in a directory: the real services, and Stripe's double. */
export async function openWorld({
  dir,
  stripeUrl,
  around = () => undefined,
}: {
  dir: string;
  stripeUrl: string;
  around?: Around;
}) {
  const url = (name: string) => `sqlite://${join(dir, `${name}.db`)}`;
  const [clock, chance] = [createSystemClock(), createSystemChance()];
  const onLost = (error: Error): never => {
    throw error;
  };
  const stores = {
    auth: await openRecords(url('auth')),
    users: await openRecords(url('users')),
    procedures: await openRecords(url('procedures')),
    privacy: await openRecords(url('privacy')),
    viewing: await openViewing(url('viewing'), { onLost }),
    books: await openBooks(url('billing'), { onLost }),
  };
  // Passwords are hashed as cheaply as can be: how dear they are is another test's.
  const passwords = { hash: async (text: string) => `hash of ${text.length}`, check: async () => false };
  const accounts = createAccounts({
    ...{ records: openAuthRecords(stores.auth), passwords, clock, chance, onAdd: () => undefined },
  });
  const provider = await openStripeProvider({ key: 'sk_test_double', webhookSecret, url: stripeUrl });
  const billing = createBilling({ ...quiet, books: stores.books, provider, clock, chance });
  const users = createUsers({
    onRemoved: async () => undefined,
    ...{ records: stores.users, viewing: stores.viewing, clock, chance, log: quiet.log },
    accounts: {
      exists: async ({ accountId }) => ({ exists: (await accounts.find(accountId)) !== undefined }),
    },
    titles: { find: async () => ({ titles: [] }) },
    pins: { hash: async () => ({ hash: 'x' }), check: async () => ({ isRight: false }) },
    seals: { seal: () => 'x', isSeal: () => false },
  });
  const account: PersonalData = {
    name: 'account',
    export: async () => undefined,
    erase: (id) => accounts.remove(id),
    purge: () => stores.auth.purge(),
  };
  const ports = {
    accounts: answerProcedureAccounts({ accounts, personal: account }),
    profiles: answerProcedureProfiles(users),
    billing: procedureBilling(billing),
  };
  const signUp = watched(signUpProcedure(ports), around);
  const planChange = watched(paidPlanChange(ports.billing), around);
  const procedures = openProcedures({
    records: stores.procedures,
    procedures: [signUp, planChange],
    ...{ clock, log: quiet.log },
  });
  const privacy = createPrivacy({
    records: stores.privacy,
    services: [account, billing.personal, users.personal, procedures.personal].map((one) => ({
      ...one,
      erase: async (id: string) => {
        await around(`erase ${one.name} before`);
        await one.erase(id);
        await around(`erase ${one.name} after`);
      },
    })),
    exists: async (id) => (await accounts.find(id)) !== undefined,
    ...{ clock, log: quiet.log },
  });
  return {
    ...{ billing, books: stores.books, users, accounts, procedures, privacy },
    sell: async () => {
      await billing.offers.putPlan('basic', planOf(999, { trialDays: 14 }));
      await billing.offers.putPlan('premium', planOf(1999));
    },
    /** Signs the household up, always under the same key. */
    signUp: (more: Partial<SignUpRequest> = {}) =>
      procedures.run({ ...by, request: more }, signUp, () =>
        beginSignUp({ ...household, ...more }, ports.accounts),
      ),
    changePlan: (subscription: string) =>
      procedures.run({ ...by, key: 'k2', request: subscription }, planChange, () =>
        beginPlanChange(subscription, { plan: 'premium' }, ports.billing),
      ),
    close: async () => {
      await Promise.all(Object.values(stores).map((store) => store.close()));
    },
  };
}
export type World = Awaited<ReturnType<typeof openWorld>>;

function watched<State extends object>(procedure: Procedure<State>, around: Around): Procedure<State> {
  const steps = procedure.steps.map((step) => ({
    ...step,
    do: async (state: State, key: string) => {
      await around(`${procedure.name} ${step.name} do before`);
      const done = await step.do(state, key);
      await around(`${procedure.name} ${step.name} do after`);
      return done;
    },
    undo: async (state: State, key: string) => {
      await around(`${procedure.name} ${step.name} undo before`);
      await step.undo?.(state, key);
      await around(`${procedure.name} ${step.name} undo after`);
    },
  }));
  return { ...procedure, steps };
}

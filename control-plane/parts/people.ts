import { loop } from '../background.ts';
import type { Auth } from '../services/auth/service.ts';
import { askForPersonal, personalData } from '../services/personal-data.ts';
import { privacyRoutes } from '../services/privacy/routes.ts';
import { createPrivacy } from '../services/privacy/service.ts';
import { procedureAccounts } from '../services/procedures/ports.ts';
import { userAccounts, userPins } from '../services/users/ports.ts';
import type { Part, PartContext } from './part.ts';
import { answerProcedureAccounts } from './procedure-ports.ts';

/** Answers what other services ask of accounts, and opens what people may ask of all who know something about them. */
export async function openPeople(
  { stores, directory, clock, log }: PartContext,
  { auth }: { auth: Auth },
): Promise<Part> {
  const exists = async (accountId: string): Promise<boolean> =>
    (await auth.accounts.find(accountId)) !== undefined;
  directory.provide(userAccounts, { exists: async ({ accountId }) => ({ exists: await exists(accountId) }) });
  directory.provide(userPins, {
    hash: async ({ pin }) => ({ hash: await auth.passwords.hash(pin) }),
    check: async ({ pin, hash }) => ({ isRight: await auth.passwords.check(pin, hash) }),
  });
  directory.provide(procedureAccounts, answerProcedureAccounts(auth));
  // Recommendations ask which profiles an account has, so they come before those.
  const elsewhere = (['recommendations', 'billing', 'profiles', 'procedures'] as const).map((name) =>
    askForPersonal(name, directory.find(personalData[name])),
  );
  const privacy = createPrivacy({
    records: await stores.open('privacy'),
    // Who no longer may sign in is charged nothing more; then all the rest.
    services: [auth.personal, ...elsewhere],
    exists,
    ...{ clock, log },
  });
  return {
    components: [loop('privacy', (signal) => privacy.watch(signal))],
    routes: ({ app }) => {
      privacyRoutes(app, { privacy });
    },
  };
}

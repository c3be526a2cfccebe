import { loop } from '../background.ts';
import type { Auth } from '../services/auth/service.ts';
import type { Billing } from '../services/billing/service.ts';
import type { Catalog } from '../services/catalog/service.ts';
import { openRegions } from '../regions.ts';
import { playbackUsers } from '../services/playback/interfaces.ts';
import { privacyRoutes } from '../services/privacy/routes.ts';
import { createPrivacy } from '../services/privacy/service.ts';
import { openProcedures } from '../services/procedures/durable-steps.ts';
import { paidPlanChange } from '../services/procedures/paid-plan-change.ts';
import { procedureRoutes } from '../services/procedures/routes.ts';
import { signUpProcedure } from '../services/procedures/sign-up.ts';
import { usersRoutes } from '../services/users/routes.ts';
import { createUsers } from '../services/users/service.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';
import { procedurePorts } from './procedure-ports.ts';

/** Opens profiles and what they watch, what people may ask of all who know something about them, and what takes several services. */
export async function openHouseholds(
  { config, stores, directory, clock, chance, log }: PartContext,
  { auth, catalog, billing }: { auth: Auth; catalog: Catalog; billing: Billing },
): Promise<Part> {
  const users = createUsers({
    records: await stores.open('users'),
    viewing: await stores.openViewing(),
    accounts: auth.accounts,
    pins: auth.passwords,
    seals: auth.seals,
    titles: { find: (id) => catalog.outline(id) },
    ...{ clock, chance, log },
  });
  const ports = procedurePorts({ auth, users, billing });
  const procedures = openProcedures({
    records: await stores.open('procedures'),
    procedures: [signUpProcedure(ports), paidPlanChange(ports.billing)],
    ...{ clock, log },
  });
  const privacy = createPrivacy({
    records: await stores.open('privacy'),
    // Who no longer may sign in is charged nothing more; then all the rest.
    services: [auth.personal, billing.personal, users.personal, procedures.personal],
    exists: async (accountId) => (await auth.accounts.find(accountId)) !== undefined,
    ...{ clock, log },
  });
  const regionOf = await openRegions(config.geoFile);
  directory.provide(viewerRights, {
    of: async ({ accountId, profileId, unlock, client }) => {
      const maturityMax = await users.maturityOf(profileId, { accountId, unlock });
      const region = regionOf(client);
      return { maturityMax, ...(region !== undefined && { region }) };
    },
  });
  directory.provide(playbackUsers, {
    resume: async ({ titleId, profileId, accountId, unlock }) => {
      await users.open(profileId, { accountId, unlock });
      const positionMs = await users.watched.resume(profileId, titleId);
      return positionMs === undefined ? {} : { positionMs };
    },
  });
  return {
    components: [
      loop('users', (signal) => users.watch(signal)),
      loop('privacy', (signal) => privacy.watch(signal)),
      loop('procedures', (signal) => procedures.watch(signal)),
    ],
    routes: ({ app }) => {
      const rights = directory.find(viewerRights);
      usersRoutes(app, { users, rights, mayHave: (id, viewer) => catalog.rights.isAllowed(id, viewer) });
      privacyRoutes(app, { privacy });
      procedureRoutes(app, { procedures, ports });
    },
  };
}

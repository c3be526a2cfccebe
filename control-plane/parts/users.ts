import { loop } from '../background.ts';
import { openRegions } from '../regions.ts';
import { answerPersonal, personalData } from '../services/personal-data.ts';
import { playbackUsers } from '../services/playback/interfaces.ts';
import { procedureProfiles } from '../services/procedures/ports.ts';
import { openSeals } from '../services/seals.ts';
import { userAccounts, userPins, userTitles } from '../services/users/ports.ts';
import { usersRoutes } from '../services/users/routes.ts';
import { createUsers } from '../services/users/service.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';
import { answerProcedureProfiles } from './procedure-ports.ts';

/** Opens profiles, and what they watch. */
export async function openUsersPart({
  config,
  stores,
  directory,
  clock,
  chance,
  log,
}: PartContext): Promise<Part> {
  const records = await stores.open('users');
  const users = createUsers({
    ...{ records, viewing: await stores.openViewing(), seals: await openSeals({ records, chance }) },
    accounts: directory.find(userAccounts),
    pins: directory.find(userPins),
    titles: directory.find(userTitles),
    ...{ clock, chance, log },
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
  directory.provide(procedureProfiles, answerProcedureProfiles(users));
  directory.provide(personalData.profiles, answerPersonal(users.personal));
  return {
    components: [loop('users', (signal) => users.watch(signal))],
    routes: ({ app }) => {
      usersRoutes(app, { users, rights: directory.find(viewerRights) });
    },
  };
}

import { loop } from '../background.ts';
import type { Calls } from '../apart/interface.ts';
import { createTeller } from '../apart/tell.ts';
import { openRegions } from '../regions.ts';
import { answerPersonal, personalData } from '../services/personal-data.ts';
import { playbackUsers } from '../services/playback/interfaces.ts';
import { procedureProfiles } from '../services/procedures/ports.ts';
import { viewingTold, watchedProfiles } from '../services/recommendations/interfaces.ts';
import { openSeals } from '../services/seals.ts';
import { userAccounts, userPins, userTitles } from '../services/users/ports.ts';
import { usersRoutes } from '../services/users/routes.ts';
import { createUsers, type Users } from '../services/users/service.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';
import { answerProcedureProfiles } from './procedure-ports.ts';

/** Devices' reports that are told on at the same time: of up to 500 lines each. */
const tellsMax = 64;

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
  const recommendations = directory.find(viewingTold);
  const users = createUsers({
    ...{ records, viewing: await stores.openViewing(), seals: await openSeals({ records, chance }) },
    accounts: directory.find(userAccounts),
    pins: directory.find(userPins),
    titles: directory.find(userTitles),
    onRemoved: (profileId) => recommendations.removed({ profileId }),
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
      const { language, audioLanguage, captions } = await users.open(profileId, { accountId, unlock });
      const positionMs = await users.watched.resume(profileId, titleId);
      return {
        ...(positionMs !== undefined && { positionMs }),
        ...(language !== undefined && { language }),
        ...(audioLanguage !== undefined && { audioLanguage }),
        ...(captions !== undefined && { captions }),
      };
    },
  });
  directory.provide(procedureProfiles, answerProcedureProfiles(users));
  directory.provide(watchedProfiles, answerWatchedProfiles(users));
  directory.provide(personalData.profiles, answerPersonal(users.personal));
  return {
    components: [loop('users', (signal) => users.watch(signal))],
    routes: ({ app }) => {
      const unheard = 'recommendations did not hear of a viewing; the next training will';
      const tell = createTeller({ underWayMax: tellsMax, clock, log, unheard });
      usersRoutes(app, {
        ...{ users, rights: directory.find(viewerRights) },
        onReported: ({ profileId, region, reports }) => {
          const told = { profileId, reports: [...reports], ...(region !== undefined && { region }) };
          tell(() => recommendations.told(told));
        },
      });
    },
  };
}

/** Answers what recommendations ask of profiles. */
function answerWatchedProfiles(users: Users): Calls<typeof watchedProfiles> {
  return {
    page: async ({ after }) => ({ ids: await users.profileIds(after) }),
    of: async ({ accountId }) => ({ ids: (await users.profiles(accountId)).map(({ id }) => id) }),
    taste: async ({ profileId }) => users.watched.taste(profileId),
  };
}

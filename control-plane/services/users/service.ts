import type { Records } from '../../../common/adapters/records/port.ts';
import type { Viewing } from '../../../common/adapters/viewing/port.ts';
import type {
  ProfilePatch,
  ProfileRequest,
  ProfileView,
  UnlockReply,
} from '../../../common/contract/profiles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { PersonalData } from '../personal-data.ts';
import { createLocks } from './locks.ts';
import { personalProfiles } from './personal.ts';
import type { UnlockSeals, UserAccounts, UserPins, UserTitles } from './ports.ts';
import { createProfileAccess, type ProfileCaller } from './profile-access.ts';
import { createProfiles, maturityOfNew, profileView } from './profiles.ts';
import { openUserRecords } from './records.ts';
import { createRemoval } from './removal.ts';
import { createWatched, type Watched } from './watched.ts';

export interface UsersOptions {
  records: Records;
  viewing: Viewing;
  accounts: UserAccounts;
  titles: UserTitles;
  pins: UserPins;
  seals: UnlockSeals;
  /** Tells others of a profile that is no more; told again each hour until it resolves. Nobody waits for it. */
  onRemoved: (profileId: string) => Promise<unknown>;
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** Households: the profiles of accounts, and what each watches. */
export interface Users {
  profiles(accountId: string): Promise<ProfileView[]>;
  /** PROFILE_UNKNOWN, also for another's. */
  profile(id: string, by: ProfileCaller): Promise<ProfileView>;
  /** As Profiles.add; PROFILE_LOCKED where profiles of the account ask for PINs and that of none that sees as much was shown. */
  add(accountId: string, request: ProfileRequest, by: ProfileCaller): Promise<ProfileView>;
  /**
   * As Profiles.change; PROFILE_LOCKED as for `add`, of what the profile sees before and after. What is heard and read is changed by whoever
   * may watch with it.
   */
  change(id: string, patch: ProfilePatch, by: ProfileCaller): Promise<ProfileView>;
  /** Removes a profile with all that it has watched. PROFILE_UNKNOWN, PROFILE_LOCKED as for `add`. */
  remove(id: string, by: ProfileCaller): Promise<void>;
  /** PROFILE_UNKNOWN, PIN_WRONG, RATE_LIMITED, OVERLOADED. */
  unlock(id: string, pin: string, by: ProfileCaller): Promise<UnlockReply>;
  /** Passes whoever may watch with a profile, and gives what the profile is; else throws PROFILE_UNKNOWN or PROFILE_LOCKED. */
  open(id: string, by: ProfileCaller): Promise<Pick<ProfileView, 'language' | 'audioLanguage' | 'captions'>>;
  /**
   * Up to what age may be watched: as a profile says; without one as the least limited says of those of the account that ask for no PIN.
   * An account without profiles is not limited. Errors: as `open`.
   */
  maturityOf(profileId: string | undefined, by: ProfileCaller & { accountId: string }): Promise<number>;
  watched: Watched;
  /** Ids of some profiles of all accounts, those that come after one; none behind the last. */
  profileIds(after: string | undefined): Promise<string[]>;
  /** Profiles, and what they have watched. */
  personal: PersonalData;
  /** Removes what is too old to be kept, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

const pruneEveryMs = 3_600_000;
const maturityAll = 18;
/** What a child too may change while it watches. */
const ownChoices: ReadonlySet<string> = new Set([
  'audioLanguage',
  'captions',
] satisfies (keyof ProfilePatch)[]);

/** Opens the users service. */
export function createUsers(options: UsersOptions): Users {
  const { viewing, accounts, titles, pins, seals, onRemoved, clock, chance, log } = options;
  const records = openUserRecords(options.records);
  const profiles = createProfiles({ records, accounts, pins, clock, chance });
  const locks = createLocks({ pins, seals, clock });
  const { known, checkMayChange, checkOpen } = createProfileAccess({ profiles, locks });
  const exists = async (id: string): Promise<boolean> => (await profiles.find(id)) !== undefined;
  const watched = createWatched({ viewing, titles, exists, clock });
  const removal = createRemoval({ profiles, watched, onRemoved, clock, log });

  return {
    watched,
    profileIds: (after) => profiles.ids(after),
    personal: personalProfiles({ records: options.records, viewing, profiles, watched, removal }),
    profiles: async (accountId) => (await profiles.list(accountId)).map(profileView),
    profile: async (id, by) => profileView(await known(id, by)),
    async add(accountId, request, by) {
      await checkMayChange(accountId, request.maturityMax ?? maturityOfNew, by);
      return profiles.add(accountId, request);
    },
    async change(id, patch, by) {
      const profile = await known(id, by);
      const { accountId, maturityMax } = profile;
      if (by.accountId !== undefined && Object.keys(patch).every((field) => ownChoices.has(field)))
        checkOpen(profile, by);
      else await checkMayChange(accountId, Math.max(maturityMax, patch.maturityMax ?? 0), by);
      return profiles.change(id, patch);
    },
    async remove(id, by) {
      const { accountId, maturityMax } = await known(id, by);
      await checkMayChange(accountId, maturityMax, by);
      await profiles.remove(id);
      await removal.erase();
    },
    unlock: async (id, pin, by) => locks.unlock(await known(id, by), pin),
    async open(id, by) {
      const profile = await known(id, by);
      checkOpen(profile, by);
      return profile;
    },
    async maturityOf(profileId, by) {
      if (profileId !== undefined) {
        const profile = await known(profileId, by);
        checkOpen(profile, by);
        return profile.maturityMax;
      }
      const all = await profiles.list(by.accountId);
      if (all.length === 0) return maturityAll;
      return Math.max(0, ...all.flatMap((one) => (one.pinHash === undefined ? one.maturityMax : [])));
    },
    async watch(signal) {
      while (!signal.aborted) {
        // First what was begun before a crash.
        await removal
          .erase()
          .then(() => watched.prune())
          .catch((error: unknown) => {
            log.error(
              { err: error },
              'what was watched long ago, or with removed profiles, is not removed yet',
            );
          });
        await clock.sleep(pruneEveryMs, { signal }).catch(() => undefined);
      }
      await removal.stop();
    },
  };
}

import type { RecordOperation } from '../../../common/adapters/records/port.ts';
import type {
  CaptionWish,
  ProfilePatch,
  ProfileRequest,
  ProfileView,
} from '../../../common/contract/profiles.ts';
import { languageOf } from '../../../common/core/language.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import { createTurns } from '../turns.ts';
import { timeZoneOf } from './core/locale.ts';
import { nameKey, profileName } from './core/profile-name.ts';
import type { UserAccounts, UserPins } from './ports.ts';
import type { ProfileRecord, UserRecords } from './records.ts';

const profilesMax = 8;
/** Up to what age a new profile sees titles where nothing is said. */
export const maturityOfNew = 18;

/** Those who watch with an account. */
export interface Profiles {
  /** The oldest first. */
  list(accountId: string): Promise<ProfileRecord[]>;
  find(id: string): Promise<ProfileRecord | undefined>;
  /** Ids of some profiles of all accounts, those that come after one; none behind the last. */
  ids(after: string | undefined): Promise<string[]>;
  /** ACCOUNT_UNKNOWN, PROFILES_TOO_MANY, PROFILE_NAME_TAKEN, INVALID for a name, language or time zone. */
  add(accountId: string, request: ProfileRequest): Promise<ProfileView>;
  /** PROFILE_UNKNOWN, PROFILE_NAME_TAKEN, INVALID. */
  change(id: string, patch: ProfilePatch): Promise<ProfileView>;
  /** Removes one, if it is there, and remembers that until `forgetRemoved`. */
  remove(id: string): Promise<void>;
  /** Removes those of an account. */
  removeOf(accountId: string): Promise<void>;
  removed(): Promise<string[]>;
  /** Forgets a removed one: nothing of it is left. */
  forgetRemoved(id: string): Promise<void>;
}

export interface ProfilesOptions {
  records: UserRecords;
  accounts: UserAccounts;
  pins: UserPins;
  clock: Clock;
  chance: Chance;
}

/** Opens the profiles. */
export function createProfiles({ records, accounts, pins, clock, chance }: ProfilesOptions): Profiles {
  const inTurn = createTurns();
  const find = async (id: string) => (await records.profiles.get(id))?.value;
  const list = async (accountId: string): Promise<ProfileRecord[]> => {
    const prefix = `${accountId}/`;
    const keys = await records.profilesOf.scan({ prefix });
    const found = await Promise.all(keys.map(({ key }) => find(key.slice(prefix.length))));
    return found
      .filter((one) => one !== undefined)
      .sort((one, other) => one.createdAtMs - other.createdAtMs || (one.id < other.id ? -1 : 1));
  };
  return {
    find,
    list,
    ids: async (after) => (await records.profiles.scan({ after })).map(({ key }) => key),
    add: (accountId, request) =>
      inTurn(async () => {
        if (!(await accounts.exists({ accountId })).exists) throw coded('ACCOUNT_UNKNOWN', accountId);
        const others = await list(accountId);
        if (others.length >= profilesMax)
          throw coded('PROFILES_TOO_MANY', `an account has at most ${profilesMax}`);
        const profile: ProfileRecord = {
          id: `prf_${chance.bytes(12).toString('base64url')}`,
          accountId,
          name: checkedName(request.name, others),
          ...(await settingsOf(request, pins)),
          createdAtMs: clock.nowMs(),
        };
        await records.all.commit([
          records.profiles.putOperation(profile.id, profile, 0),
          records.profilesOf.putOperation(`${accountId}/${profile.id}`, {}),
        ]);
        return profileView(profile);
      }),
    change: (id, patch) =>
      inTurn(async () => {
        const before = await find(id);
        if (before === undefined) throw coded('PROFILE_UNKNOWN', id);
        const others = (await list(before.accountId)).filter((other) => other.id !== id);
        const after = await patched(before, patch, pins);
        if (patch.name !== undefined) after.name = checkedName(patch.name, others);
        await records.profiles.put(id, after);
        return profileView(after);
      }),
    remove: (id) =>
      inTurn(async () => {
        const profile = await find(id);
        if (profile !== undefined) await records.all.commit(removal(records, profile));
      }),
    removeOf: (accountId) =>
      inTurn(async () => {
        await records.all.commit((await list(accountId)).flatMap((one) => removal(records, one)));
      }),
    removed: async () => (await Array.fromAsync(records.removed.all())).map(({ key }) => key),
    async forgetRemoved(id) {
      await records.removed.remove(id);
    },
  };
}

/** A name as it is kept. PROFILE_NAME_TAKEN, INVALID. */
function checkedName(typed: string, others: readonly ProfileRecord[]): string {
  const name = valueOf(profileName(typed));
  if (others.some((other) => nameKey(other.name) === nameKey(name))) throw coded('PROFILE_NAME_TAKEN', name);
  return name;
}

function removal(records: UserRecords, { id, accountId }: ProfileRecord): RecordOperation[] {
  return [
    records.profiles.removeOperation(id),
    records.profilesOf.removeOperation(`${accountId}/${id}`),
    records.removed.putOperation(id, {}),
  ];
}

/** A profile with all of a patch but its name. */
async function patched(before: ProfileRecord, patch: ProfilePatch, pins: UserPins): Promise<ProfileRecord> {
  const { name: _name, pin, language, audioLanguage, captions, timeZone, ...settings } = patch;
  const { pinHash, language: spoken, audioLanguage: heard, captions: read, timeZone: zone, ...rest } = before;
  const tongue = (given: string): string => valueOf(languageOf(given));
  return compact({
    ...{ ...rest, ...settings },
    pinHash: await changed(pin, pinHash, async (given) => (await pins.hash({ pin: given })).hash),
    language: await changed(language, spoken, tongue),
    audioLanguage: await changed(audioLanguage, heard, tongue),
    captions: await changed(captions, read, wishOf),
    timeZone: await changed(timeZone, zone, (given) => valueOf(timeZoneOf(given))),
  });
}

/** What a new profile is given beside its name. */
async function settingsOf(
  { avatar = 'cat', maturityMax = maturityOfNew, autoplay = true, ...given }: ProfileRequest,
  pins: UserPins,
): Promise<Omit<ProfileRecord, 'id' | 'accountId' | 'name' | 'createdAtMs'>> {
  const { language, audioLanguage, captions, timeZone, pin } = given;
  return compact({
    ...{ avatar, maturityMax, autoplay },
    language: language && valueOf(languageOf(language)),
    audioLanguage: audioLanguage && valueOf(languageOf(audioLanguage)),
    captions: captions && wishOf(captions),
    timeZone: timeZone && valueOf(timeZoneOf(timeZone)),
    pinHash: pin && (await pins.hash({ pin })).hash,
  });
}

function wishOf(wish: CaptionWish): CaptionWish {
  return wish === 'off' ? wish : { ...wish, language: valueOf(languageOf(wish.language)) };
}

/** What a patch makes of a field: absent leaves it, null takes it away. */
async function changed<T>(
  given: T | null | undefined,
  held: T | undefined,
  make: (given: T) => T | Promise<T>,
): Promise<T | undefined> {
  if (given === undefined) return held;
  return given === null ? undefined : make(given);
}

/** Without the fields that say nothing. */
function compact<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

type Optionals<T> = { [K in keyof T]: undefined extends T[K] ? K : never }[keyof T];
type Defined<T> = Omit<T, Optionals<T>> & { [K in Optionals<T>]?: Exclude<T[K], undefined> };

/** A profile as it is shown: the PIN's hash is in no answer. */
export function profileView({ pinHash, ...profile }: ProfileRecord): ProfileView {
  return { ...profile, locked: pinHash !== undefined };
}

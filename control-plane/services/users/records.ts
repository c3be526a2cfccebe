import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { ProfileView } from '../../../common/contract/profiles.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

const { locked: _locked, ...kept } = ProfileView.properties;

export const ProfileRecord = Type.Object({
  ...kept,
  /** argon2id in PHC's form; absent: the profile asks for none. */
  pinHash: Type.Optional(Type.String({ maxLength: 512 })),
});
export type ProfileRecord = Static<typeof ProfileRecord>;

const EmptyRecord = Type.Object({});

/** The collections of the users service's own file. */
export interface UserRecords {
  all: Records;
  profiles: Collection<ProfileRecord>;
  /** Whose profiles there are, by `<account>/<profile>`. */
  profilesOf: Collection<Static<typeof EmptyRecord>>;
  /** Profiles that were removed, until what they have watched is too. */
  removed: Collection<Static<typeof EmptyRecord>>;
}

/** Opens the collections of the users service. */
export function openUserRecords(records: Records): UserRecords {
  const code = 'STORE_CORRUPT';
  return {
    all: records,
    profiles: openCollection(records, 'profiles', (value) =>
      parseAs(ProfileRecord, value, { what: 'the record of a profile', code }),
    ),
    profilesOf: openCollection(records, 'profiles-of', (value) =>
      parseAs(EmptyRecord, value, { what: 'the record of who has a profile', code }),
    ),
    removed: openCollection(records, 'profiles-removed', (value) =>
      parseAs(EmptyRecord, value, { what: 'the record of a removed profile', code }),
    ),
  };
}

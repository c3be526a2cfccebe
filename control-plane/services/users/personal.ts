import type { Records } from '../../../common/adapters/records/port.ts';
import type { Viewing } from '../../../common/adapters/viewing/port.ts';
import type { PersonalData } from '../personal-data.ts';
import { profileView, type Profiles } from './profiles.ts';
import type { Removal } from './removal.ts';
import type { Watched } from './watched.ts';

/** Profiles as personal data, with what they have watched. */
export function personalProfiles(options: {
  records: Records;
  viewing: Viewing;
  profiles: Profiles;
  watched: Watched;
  removal: Removal;
}): PersonalData {
  const { records, viewing, profiles, watched, removal } = options;
  return {
    name: 'profiles',
    async export(accountId) {
      const all = await profiles.list(accountId);
      const told = all.map(async (one) => ({ ...profileView(one), watched: await watched.export(one.id) }));
      return all.length === 0 ? undefined : { profiles: await Promise.all(told) };
    },
    async erase(accountId) {
      await profiles.removeOf(accountId);
      await removal.erase();
    },
    async purge() {
      // Who has been told of is on no list any more.
      await removal.told();
      await records.purge();
      await viewing.purge();
    },
  };
}

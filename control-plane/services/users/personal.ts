import type { Records } from '../../../common/adapters/records/port.ts';
import type { Viewing } from '../../../common/adapters/viewing/port.ts';
import type { PersonalData } from '../personal-data.ts';
import { profileView, type Profiles } from './profiles.ts';
import type { Watched } from './watched.ts';

/** Profiles as personal data, with what they have watched. */
export function personalProfiles(options: {
  records: Records;
  viewing: Viewing;
  profiles: Profiles;
  watched: Watched;
  /** Erases what removed profiles have watched. */
  eraseRemoved: () => Promise<void>;
}): PersonalData {
  const { records, viewing, profiles, watched, eraseRemoved } = options;
  return {
    name: 'profiles',
    async export(accountId) {
      const all = await profiles.list(accountId);
      const told = all.map(async (one) => ({ ...profileView(one), watched: await watched.export(one.id) }));
      return all.length === 0 ? undefined : { profiles: await Promise.all(told) };
    },
    async erase(accountId) {
      await profiles.removeOf(accountId);
      await eraseRemoved();
    },
    async purge() {
      await records.purge();
      await viewing.purge();
    },
  };
}

import { coded } from '../../../common/runtime/errors.ts';
import type { Locks } from './locks.ts';
import type { Profiles } from './profiles.ts';
import type { ProfileRecord } from './records.ts';

/** Who asks for a profile. */
export interface ProfileCaller {
  /** The account; undefined for who may change those of all. */
  accountId: string | undefined;
  /** What `unlock` gave, if it was shown. */
  unlock: string | undefined;
}

/** Who may do what with profiles. */
export interface ProfileAccess {
  /** A profile of the caller's. PROFILE_UNKNOWN, also for another's. */
  known: (id: string, by: ProfileCaller) => Promise<ProfileRecord>;
  /**
   * Whether the caller may change what is seen up to some age. PROFILE_LOCKED where profiles of the account ask for PINs, and that of
   * none that sees as much was shown.
   */
  checkMayChange: (accountId: string, maturity: number, by: ProfileCaller) => Promise<void>;
  /** PROFILE_LOCKED where this one does. */
  checkOpen: (profile: ProfileRecord, by: ProfileCaller) => void;
}

/** Opens the access to profiles. */
export function createProfileAccess({
  profiles,
  locks,
}: {
  profiles: Profiles;
  locks: Locks;
}): ProfileAccess {
  return {
    async known(id, { accountId }) {
      const profile = await profiles.find(id);
      const isTheirs = accountId === undefined || profile?.accountId === accountId;
      if (profile === undefined || !isTheirs) throw coded('PROFILE_UNKNOWN', id);
      return profile;
    },
    // A child shall not change what its parents have set, whoever has a PIN of its own too.
    async checkMayChange(accountId, maturity, { accountId: own, unlock }) {
      if (own === undefined) return;
      const locked = (await profiles.list(accountId)).filter(({ pinHash }) => pinHash !== undefined);
      const mayChange = locked.some(
        (profile) => profile.maturityMax >= maturity && locks.isOpen(profile, unlock),
      );
      if (locked.length > 0 && !mayChange)
        throw coded(
          'PROFILE_LOCKED',
          `show the PIN of a profile of this account that sees titles for ${maturity}`,
        );
    },
    checkOpen(profile, { unlock }) {
      if (!locks.isOpen(profile, unlock))
        throw coded('PROFILE_LOCKED', 'show its PIN to /v1/profiles/<id>/unlock first');
    },
  };
}

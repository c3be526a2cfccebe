import type { UnlockReply } from '../../../common/contract/profiles.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { SignInThrottle } from '../../core/sign-in-throttle.ts';
import type { UnlockSeals, UserPins } from './ports.ts';
import type { ProfileRecord } from './records.ts';

/** Lets into profiles that ask for a PIN. */
export interface Locks {
  /** PIN_WRONG, also where there is none; RATE_LIMITED after some failures, whoever tries; OVERLOADED. */
  unlock(profile: ProfileRecord, pin: string): Promise<UnlockReply>;
  /** Whether the profile is open to who shows this: it asks for no PIN, or this is what `unlock` gave, for its present PIN. */
  isOpen(profile: ProfileRecord, shown: string | undefined): boolean;
}

const unlockedMs = 12 * 3_600_000;
const purpose = 'profile-unlock';

/** Opens the locks. */
export function createLocks(options: { pins: UserPins; seals: UnlockSeals; clock: Clock }): Locks {
  const { pins, seals, clock } = options;
  const throttle = new SignInThrottle();
  // With the hash in it: another PIN ends what the one before let in.
  const sealed = ({ id, pinHash = '' }: ProfileRecord, expiresAtMs: number): string =>
    `${id} ${expiresAtMs} ${pinHash}`;
  return {
    async unlock(profile, pin) {
      const retryAfterMs = throttle.begin(profile.id, clock.monotonicMs());
      if (retryAfterMs > 0) throw coded('RATE_LIMITED', { detail: 'too many PINs; wait', retryAfterMs });
      const { pinHash: hash } = profile;
      const { isRight } = await pins.check({ pin, ...(hash !== undefined && { hash }) });
      if (!isRight) throw coded('PIN_WRONG');
      throttle.succeed(profile.id);
      const expiresAtMs = clock.nowMs() + unlockedMs;
      return { unlock: `${expiresAtMs}.${seals.seal(purpose, sealed(profile, expiresAtMs))}`, expiresAtMs };
    },
    isOpen(profile, shown = '') {
      if (profile.pinHash === undefined) return true;
      const [, expires = '', seal = ''] = /^(\d{1,16})\.([\w-]{20,100})$/.exec(shown) ?? [];
      const expiresAtMs = Number(expires);
      return clock.nowMs() < expiresAtMs && seals.isSeal(purpose, sealed(profile, expiresAtMs), seal);
    },
  };
}

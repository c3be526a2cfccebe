import { growingCache } from '../../../common/core/growing-cache.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Seals } from '../seals.ts';

/** For how long a device may think about a challenge. */
export const challengeMs = 5 * 60_000;
/** Answered ones alone are kept, for which it takes a passkey: strangers fill nothing. */
const usedMax = 10_000;
const sealPurpose = 'passkey';

/** What devices are asked to sign. Each says by itself for whom and until when it is good, so that nothing is kept of those that nobody answers. */
export interface Challenges {
  /** One for a session or a sign-in. */
  make(whose: string): string;
  /** Whether it was made for them not long ago, and is not used. `answered`: in base64url, as WebAuthn has it. */
  isGood(whose: string, answered: string): boolean;
  /** Makes it good no more. */
  use(answered: string): void;
}

/** Opens the challenges. */
export function createChallenges(options: { seals: Seals; clock: Clock; chance: Chance }): Challenges {
  const { seals, clock, chance } = options;
  const used = growingCache<string, true>(usedMax);
  return {
    make(whose) {
      const said = `${chance.bytes(16).toString('base64url')}.${clock.nowMs() + challengeMs}`;
      return `${said}.${seals.seal(sealPurpose, `${whose} ${said}`)}`;
    },
    isGood(whose, answered) {
      const text = textOf(answered);
      const [nonce = '', untilMs = '', seal = '', ...rest] = text.split('.');
      if (rest.length > 0 || used.has(text)) return false;
      if (!seals.isSeal(sealPurpose, `${whose} ${nonce}.${untilMs}`, seal)) return false;
      const leftMs = Number(untilMs) - clock.nowMs();
      // More is left where the clock was set back: what was used before then may be forgotten.
      return leftMs > 0 && leftMs <= challengeMs;
    },
    use(answered) {
      used.set(textOf(answered), true);
    },
  };
}

function textOf(answered: string): string {
  return Buffer.from(answered, 'base64url').toString();
}

import type { EventRefusal, PlayerEvent } from '../../../../common/contract/playback.ts';
import { playedMsMax } from '../../../../common/core/tokens/delivery-token.ts';

/** A clock that runs ahead by so much is as good as any. */
const aheadMsMax = 5 * 60_000;
/** What a device kept while it was without a network for days still counts. */
const ageMsMax = 7 * 86_400_000;
/** Players tell positions a little behind the end. */
const behindEndMs = 60_000;

/** What an event is held against. */
export interface Expected {
  readonly nowMs: number;
  /** The life of the session's token; absent where no session is known. */
  readonly life?: { readonly issuedAtS: number; readonly expiresAtS: number } | undefined;
}

/**
 * Why an event cannot be right, although it has the form of one; undefined where it can. Times are the player's clock, which
 * may be wrong; positions are held against the longest film that the session's token was made for.
 */
export function judgeEvent(
  { timeMs, positionMs = 0 }: Pick<PlayerEvent, 'timeMs'> & Partial<Pick<PlayerEvent, 'positionMs'>>,
  { nowMs, life }: Expected,
): EventRefusal['reason'] | undefined {
  if (timeMs > nowMs + aheadMsMax) return 'future';
  if (timeMs < nowMs - ageMsMax) return 'old';
  const durationMsMax = life && playedMsMax(life);
  if (durationMsMax !== undefined && positionMs > durationMsMax + behindEndMs) return 'position';
  return undefined;
}

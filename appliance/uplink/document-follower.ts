import type { TSchema } from '../../common/contract/type.ts';

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { isOver } from '../fill/wakeup.ts';
import type { DocumentKeeper } from './document-keeper.ts';

export interface FollowOptions<T extends TSchema> {
  keeper: DocumentKeeper<T>;
  /** A long poll for one newer than the sequence; undefined when there is none yet. */
  poll: (after: number, signal: AbortSignal) => Promise<string | undefined>;
  /** Fetches a newer keyset, when a document names a key that is not known. */
  renewKeys: (signal: AbortSignal) => Promise<void>;
  clock: Clock;
  chance: Chance;
  log: Log;
  signal: AbortSignal;
}

const backoffMsMin = 500;
const backoffMsMax = 30_000;
/** A control plane that answers at once instead of waiting is asked no more often than this. */
const pollMsMin = 1000;

/** Keeps a signed document up to date until the signal ends it. The control plane may go and come back: never gives up. */
export async function followDocument<T extends TSchema>(options: FollowOptions<T>): Promise<void> {
  const { keeper, poll, clock, log, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    try {
      const jws = await poll(keeper.sequence, signal);
      const taken = jws === undefined || (await takeWithNewKeys(jws, options));
      failures = taken ? 0 : failures + 1;
      const isFast = clock.monotonicMs() - startedMs < pollMsMin;
      if (taken && (jws !== undefined || !isFast)) continue;
    } catch (error) {
      if (isOver(signal)) return;
      failures++;
      log.debug({ err: error }, 'the control plane gives no document');
    }
    await clock.sleep(backoffMs(failures, options.chance), { signal }).catch(() => undefined);
  }
}

async function takeWithNewKeys<T extends TSchema>(jws: string, options: FollowOptions<T>): Promise<boolean> {
  const { keeper, renewKeys, signal } = options;
  try {
    return await keeper.take(jws);
  } catch (error) {
    if (!isCoded(error, 'KEY_UNKNOWN')) throw error;
    await renewKeys(signal);
    return await keeper.take(jws);
  }
}

/** Exponential, with jitter, so that the boxes of a site do not come back together. */
export function backoffMs(failures: number, chance: Chance): number {
  if (failures === 0) return pollMsMin;
  const ceilingMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures, 10));
  return ceilingMs * (0.5 + chance.fraction() / 2);
}

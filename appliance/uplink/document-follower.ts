import type { TSchema } from '../../common/contract/type.ts';

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { isOver } from '../fill/wakeup.ts';
import type { DocumentKeeper } from './document-keeper.ts';
import { spreadBackoffMs } from '../../common/core/backoff.ts';

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

const retries = { firstMs: 1000, maxMs: 30_000 };
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
    const pauseMs = failures === 0 ? pollMsMin : spreadBackoffMs(retries, failures - 1, options.chance);
    await clock.sleep(pauseMs, { signal }).catch(() => undefined);
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

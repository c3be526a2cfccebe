import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createDebounced } from '../debounce.ts';
import type { Profiles } from './profiles.ts';
import type { Watched } from './watched.ts';

export interface RemovalOptions {
  readonly profiles: Profiles;
  readonly watched: Watched;
  /** Tells others of a profile that is no more. */
  readonly onRemoved: (profileId: string) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is left to do of profiles that were removed. */
export interface Removal {
  /** Erases what they have watched, then begins to tell others; of whom nobody waits, since they may be away. */
  erase(): Promise<void>;
  /** Resolves when others were told of all that are on the list, or did not hear. */
  told(): Promise<void>;
  /** Tells no more; who did not hear does after the next start. */
  stop(): Promise<void>;
}

/** Opens the removal of profiles. Each stays on the list until it is erased and the others have heard of it. */
export function createRemoval({ profiles, watched, onRemoved, clock, log }: RemovalOptions): Removal {
  const stopping = new AbortController();
  const telling = createDebounced({
    ...{ clock, delayMs: 0 },
    async run() {
      for (const id of await profiles.removed()) {
        if (stopping.signal.aborted) return;
        await finish(id).catch((error: unknown) => {
          log.warn({ err: error, profile: id }, 'a removed profile is not forgotten everywhere yet');
        });
      }
    },
    onError(error) {
      log.error({ err: error }, 'it is not known which removed profiles are to be forgotten yet');
    },
  });
  const finish = async (id: string): Promise<void> => {
    // Once more: it may have been removed after the last call of `erase`.
    await watched.erase(id);
    await onRemoved(id);
    await profiles.forgetRemoved(id);
  };

  return {
    async erase() {
      for (const id of await profiles.removed()) await watched.erase(id);
      telling.request();
    },
    told: () => telling.flush(),
    async stop() {
      stopping.abort();
      await telling.stop();
    },
  };
}

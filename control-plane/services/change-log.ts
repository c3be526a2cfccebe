import type { Clock } from '../../common/runtime/clock.ts';
import { createWaiters } from './long-poll.ts';

/** What has changed after a number that was told before; `keys` is undefined where that is too long ago: anything may have. */
export interface ChangesSince {
  readonly sequence: number;
  readonly keys: readonly string[] | undefined;
}

/** The keys that changed last, for those who ask again and again what is new. */
export interface ChangeLog {
  note(key: string): void;
  /** What is newer than `after`; waits for it, at most `waitMs`. Errors: OVERLOADED. */
  since(after: number, wait: { waitMs: number; signal?: AbortSignal | undefined }): Promise<ChangesSince>;
}

/** For how long a question after changes may wait for one. */
export const changesWaitMs = 20_000;

const waitersMax = 100;
const anyKey = '';

/** Makes one that remembers `keysMax` changes. Its numbers begin with the time, so that a number of an earlier process is too old here. */
export function createChangeLog({ clock, keysMax }: { clock: Clock; keysMax: number }): ChangeLog {
  const waiters = createWaiters({ clock, waitersMax });
  const first = clock.nowMs();
  /** By when they changed last, oldest first. */
  const changed = new Map<string, number>();
  let sequence = first;
  let forgotten = first;
  return {
    note(key) {
      changed.delete(key);
      changed.set(key, ++sequence);
      for (const [oldest, at] of changed) {
        if (changed.size <= keysMax) break;
        changed.delete(oldest);
        forgotten = at;
      }
      waiters.wake(anyKey);
    },
    async since(after, wait) {
      if (after === sequence) await waiters.wait(anyKey, wait);
      const isKnown = after >= forgotten && after <= sequence;
      const newer = [...changed].filter(([, at]) => at > after).map(([key]) => key);
      return { sequence, keys: isKnown ? newer : undefined };
    },
  };
}

import type { Clock } from '../../../common/runtime/clock.ts';
import { createWaiters, type Waiters } from '../long-poll.ts';

/** A poll ends after 30 s at the latest: who has not asked for so long is not there. */
const goneMs = 40_000;
const waitMsMax = 10_000;
const waitersMax = 1000;

/** Of the steering nodes that ask for maps: how many there are, and how many hold an older one than wanted. */
export interface MapReach {
  readonly steering: number;
  readonly behind: number;
}

/** Which map each steering node holds: it asks for one that is newer. */
export class MapReaders {
  readonly #clock: Clock;
  readonly #waiters: Waiters;
  /** As many as are enrolled as steering nodes. */
  readonly #held = new Map<string, { sequence: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#waiters = createWaiters({ clock, waitersMax });
  }

  held(node: string, sequence: number): void {
    this.#held.set(node, { sequence, atMs: this.#clock.monotonicMs() });
    this.#waiters.wake('held');
  }

  /** Waits until all that are there hold this map or a later one; tells how many those are, and how many do not. */
  async until(sequence: number): Promise<MapReach> {
    const endMs = this.#clock.monotonicMs() + waitMsMax;
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      const there = [...this.#held.values()].filter(({ atMs }) => nowMs - atMs < goneMs);
      const behind = there.filter((reader) => reader.sequence < sequence).length;
      if (behind === 0 || nowMs >= endMs) return { steering: there.length, behind };
      await this.#waiters.wait('held', { waitMs: endMs - nowMs });
    }
  }
}

import { statfs } from 'node:fs/promises';

import type { Clock } from '../../common/runtime/clock.ts';
import type { DiskLane } from './disk-lane.ts';

const waitMsMax = 250;

/** What is free on a disk as its file system says; where it does not answer soon, as it said last: heartbeats do not wait for it. */
export class FreeSpace {
  readonly #options: { path: string; lane: DiskLane; clock: Clock };
  #asking: Promise<number> | undefined;
  #knownBytes: number | undefined;

  constructor(options: { path: string; lane: DiskLane; clock: Clock }) {
    this.#options = options;
  }

  /** Free bytes. Errors: the file system's, DISK_GONE. */
  async bytes(): Promise<number> {
    const { lane, clock } = this.#options;
    this.#asking ??= this.#ask();
    const asking = lane.outlast(this.#asking);
    if (this.#knownBytes === undefined) return asking;
    // Where it comes late nobody hears it fail.
    asking.catch(() => undefined);
    const over = new AbortController();
    const late = clock.sleep(waitMsMax, { signal: over.signal }).catch(() => undefined);
    try {
      return (await Promise.race([asking, late])) ?? this.#knownBytes;
    } finally {
      over.abort();
    }
  }

  async #ask(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.#options.path);
      return (this.#knownBytes = bavail * bsize);
    } finally {
      this.#asking = undefined;
    }
  }
}

import type { Clock } from '../../common/runtime/clock.ts';

const waitMsMax = 250;

/** What is free on a disk as its file system says; where it does not answer, or not soon, as it said last: heartbeats do not wait for it. */
export class FreeSpace {
  readonly #options: { ask: () => Promise<number>; clock: Clock };
  #asking: Promise<number> | undefined;
  #knownBytes: number | undefined;

  constructor(options: { ask: () => Promise<number>; clock: Clock }) {
    this.#options = options;
  }

  /** Free bytes. Errors: those of who is asked, as long as it has never answered. */
  async bytes(): Promise<number> {
    this.#asking ??= this.#ask();
    const asking = this.#asking;
    if (this.#knownBytes === undefined) return asking;
    const over = new AbortController();
    const late = this.#options.clock.sleep(waitMsMax, { signal: over.signal }).catch(() => undefined);
    try {
      // Whoever is asked tells of a failure too.
      return (await Promise.race([asking.catch(() => undefined), late])) ?? this.#knownBytes;
    } finally {
      over.abort();
    }
  }

  async #ask(): Promise<number> {
    try {
      return (this.#knownBytes = await this.#options.ask());
    } finally {
      this.#asking = undefined;
    }
  }
}

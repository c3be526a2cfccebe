import type { Clock } from '../../common/runtime/clock.ts';
import type { SourceState } from '../core/choose-way.ts';
import type { SourceFailure } from './source-failure.ts';
import { backoffMs, type Backoff } from '../../common/core/backoff.ts';

interface Entry {
  inFlight: number;
  failures: number;
  lies: number;
  demotions: number;
  restUntilMs: number;
  demotedUntilMs: number;
  bytesPerSecond: number | undefined;
}

const restMsMax = 300_000;
const failRests: Backoff = { firstMs: 2000, maxMs: restMsMax };
const lieRests: Backoff = { firstMs: 60_000, maxMs: restMsMax };
const demotions: Backoff = { firstMs: 30_000, maxMs: restMsMax };
const sourcesMax = 10_000;
/** How much one transfer tells of a source's speed: the rest is what was known before. */
const rateShare = 0.3;
/** Less says more of the way there than of the source. */
const ratedBytesMin = 256 * 1024;

/**
 * What is known of each source: how busy we keep it, how fast it is, and until when it rests after a failure or comes last
 * after it kept a file waiting. Each failure in a row doubles the rest; one that lied rests longest. A good answer forgives
 * failures, never lies.
 */
export class SourceBook {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  stateOf(node: string): SourceState {
    return this.#entries.get(node) ?? newEntry();
  }

  begin(node: string): void {
    this.#entry(node).inFlight++;
  }

  /** A transfer of so many bytes took so long, however it ended. */
  rate(node: string, bytes: number, elapsedMs: number): void {
    if (bytes < ratedBytesMin || elapsedMs <= 0) return;
    const entry = this.#entry(node);
    const measured = (bytes * 1000) / elapsedMs;
    entry.bytesPerSecond =
      entry.bytesPerSecond === undefined
        ? measured
        : entry.bytesPerSecond + rateShare * (measured - entry.bytesPerSecond);
  }

  /** It kept a file waiting for a chunk that another had to bring. */
  demote(node: string): void {
    const entry = this.#entry(node);
    const forMs = backoffMs(demotions, entry.demotions++);
    entry.demotedUntilMs = this.#clock.monotonicMs() + forMs;
  }

  /** `unknown`: it ended for a reason of ours, which neither blames the source nor forgives it. */
  end(node: string, outcome: 'good' | 'unknown' | SourceFailure): void {
    const entry = this.#entry(node);
    entry.inFlight--;
    if (outcome === 'unknown') return;
    if (outcome === 'good') {
      entry.failures = 0;
      if (entry.demotedUntilMs <= this.#clock.monotonicMs()) entry.demotions = 0;
      return;
    }
    const restMs = this.#restMs(entry, outcome);
    entry.restUntilMs = Math.max(entry.restUntilMs, this.#clock.monotonicMs() + restMs);
  }

  #restMs(entry: Entry, failure: SourceFailure): number {
    switch (failure.kind) {
      case 'absent':
      case 'denied':
        return 0;
      case 'busy':
        return failure.retryAfterMs;
      case 'lies':
        return backoffMs(lieRests, entry.lies++);
      case 'fails':
        return backoffMs(failRests, entry.failures++);
    }
  }

  #entry(node: string): Entry {
    const known = this.#entries.get(node);
    if (known !== undefined) return known;
    if (this.#entries.size >= sourcesMax) this.#forgetIdle();
    const entry = newEntry();
    this.#entries.set(node, entry);
    return entry;
  }

  #forgetIdle(): void {
    for (const [node, entry] of this.#entries) {
      if (entry.inFlight === 0) this.#entries.delete(node);
      if (this.#entries.size < sourcesMax) return;
    }
  }
}

function newEntry(): Entry {
  return {
    inFlight: 0,
    failures: 0,
    lies: 0,
    demotions: 0,
    restUntilMs: 0,
    demotedUntilMs: 0,
    bytesPerSecond: undefined,
  };
}

import type { Clock } from '../../common/runtime/clock.ts';
import type { SourceState } from '../core/choose-way.ts';
import type { SourceFailure } from './source-client.ts';

interface Entry {
  inFlight: number;
  failures: number;
  lies: number;
  restUntilMs: number;
}

const failRestMs = 2000;
const lieRestMs = 60_000;
const restMsMax = 300_000;
const sourcesMax = 10_000;

/**
 * What is known of each source: how busy we keep it, and until when it rests after a failure. Each failure in a row
 * doubles the rest; one that lied rests longest. A good answer forgives failures, never lies.
 */
export class SourceBook {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  stateOf(node: string): SourceState {
    return this.#entries.get(node) ?? { inFlight: 0, restUntilMs: 0 };
  }

  begin(node: string): void {
    this.#entry(node).inFlight++;
  }

  /** `unknown`: it ended for a reason of ours, which neither blames the source nor forgives it. */
  end(node: string, outcome: 'good' | 'unknown' | SourceFailure): void {
    const entry = this.#entry(node);
    entry.inFlight--;
    if (outcome === 'unknown') return;
    if (outcome === 'good') {
      entry.failures = 0;
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
        return Math.min(restMsMax, lieRestMs * 2 ** entry.lies++);
      case 'fails':
        return Math.min(restMsMax, failRestMs * 2 ** Math.min(20, entry.failures++));
    }
  }

  #entry(node: string): Entry {
    const known = this.#entries.get(node);
    if (known !== undefined) return known;
    if (this.#entries.size >= sourcesMax) this.#forgetIdle();
    const entry: Entry = { inFlight: 0, failures: 0, lies: 0, restUntilMs: 0 };
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

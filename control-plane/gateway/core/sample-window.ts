/** What a window of answers has shown. */
export interface WindowSample {
  /** The mean. */
  readonly roundTripMs: number;
  /** The most. */
  readonly inFlight: number;
}

const WINDOW_MS = 1000;
const SAMPLES_MIN = 10;
// What is answered faster waited for nothing: it says nothing about load.
const ROUND_TRIP_MS_MIN = 0.1;

/**
 * Gathers answers into windows of a second, so that one slow answer does not move a limit; a window of fewer than ten says nothing.
 * Source: WindowedLimit of github.com/Netflix/concurrency-limits, with its defaults.
 */
export class SampleWindow {
  #endsMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #sumMs = 0;
  #inFlight = 0;

  /** Takes one answer. @returns the window when this one has ended it. */
  add(roundTripMs: number, inFlight: number, nowMs: number): WindowSample | undefined {
    if (roundTripMs < ROUND_TRIP_MS_MIN) return undefined;
    this.#count++;
    this.#sumMs += roundTripMs;
    this.#inFlight = Math.max(this.#inFlight, inFlight);
    if (nowMs <= this.#endsMs) return undefined;
    const ended = { roundTripMs: this.#sumMs / this.#count, inFlight: this.#inFlight };
    const isTelling = this.#count >= SAMPLES_MIN;
    this.#endsMs = nowMs + WINDOW_MS;
    this.#count = 0;
    this.#sumMs = 0;
    this.#inFlight = 0;
    return isTelling ? ended : undefined;
  }
}

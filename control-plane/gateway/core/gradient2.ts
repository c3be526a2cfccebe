/** What Gradient2 is built with; times are in any one unit. */
export interface Gradient2Options {
  /** Requests at a time, at first and never fewer. */
  limitMin: number;
  limitMax: number;
  /** Share of each new estimate that is taken over. */
  smoothing: number;
  /** By how many requests the estimate may grow while answers stay quick. */
  queueLength: number;
  /** Samples over which the usual round-trip time is averaged. */
  longWindow: number;
  /** By which factor answers may be slower than usual before the limit falls. */
  tolerance: number;
}

/** The defaults that Netflix's concurrency-limits publishes for Gradient2Limit. */
export const gradient2Defaults: Gradient2Options = {
  limitMin: 20,
  limitMax: 200,
  smoothing: 0.2,
  queueLength: 4,
  longWindow: 600,
  tolerance: 1.5,
};

const WARMUP_SAMPLES = 10;
// A usual time of more than twice the newest is from an overload that is over: it fades faster than its window.
const DRIFT_RATIO = 2;
const DRIFT_DECAY = 0.95;
const GRADIENT_MIN = 0.5;

/**
 * How many requests may be under way at a time, learned from how long answers take:
 *
 *     gradient = max(0.5, min(1, tolerance × usual time ÷ newest time))
 *     limit ← limit × (1 − smoothing) + (limit × gradient + queue) × smoothing
 *
 * Source: Gradient2Limit and ExpAvgMeasurement of github.com/Netflix/concurrency-limits.
 */
export class Gradient2 {
  readonly #options: Gradient2Options;
  readonly #usual: ExponentialAverage;
  #estimate: number;

  constructor(options: Gradient2Options) {
    this.#options = options;
    this.#usual = new ExponentialAverage(options.longWindow);
    this.#estimate = options.limitMin;
  }

  /** Requests that may be under way. */
  get limit(): number {
    return Math.floor(this.#estimate);
  }

  /** Takes one sample: how long answers take, above zero, and how many requests were under way. @returns the limit. */
  update({ roundTrip, inFlight }: { roundTrip: number; inFlight: number }): number {
    const { limitMin, limitMax, smoothing, queueLength, tolerance } = this.#options;
    const usual = this.#usual.add(roundTrip);
    if (usual / roundTrip > DRIFT_RATIO) this.#usual.scale(DRIFT_DECAY);
    // Whoever does not use the limit learns nothing of it.
    if (inFlight < this.#estimate / 2) return this.limit;
    const gradient = Math.max(GRADIENT_MIN, Math.min(1, (tolerance * usual) / roundTrip));
    const wanted = this.#estimate * gradient + queueLength;
    const smoothed = this.#estimate * (1 - smoothing) + wanted * smoothing;
    this.#estimate = Math.max(limitMin, Math.min(limitMax, smoothed));
    return this.limit;
  }
}

/** The plain mean of the first samples, then an exponential moving average. */
class ExponentialAverage {
  readonly #factor: number;
  #value = 0;
  #sum = 0;
  #count = 0;

  constructor(window: number) {
    this.#factor = 2 / (window + 1);
  }

  add(sample: number): number {
    if (this.#count < WARMUP_SAMPLES) {
      this.#count++;
      this.#sum += sample;
      this.#value = this.#sum / this.#count;
    } else {
      this.#value = this.#value * (1 - this.#factor) + sample * this.#factor;
    }
    return this.#value;
  }

  scale(factor: number): void {
    this.#value *= factor;
  }
}

/** Decisions that a brain tells of in a second, at most on average. */
export const samplesPerSecond = 50;

/** How often a sample is taken. */
export interface SamplerOptions {
  /** Samples a second at most, on average, however many decisions there are. */
  readonly perSecond: number;
  /** In [0, 1): which decision of a stretch is taken is left to chance, so that nothing regular hides from it. */
  readonly fraction: () => number;
}

/** The clock is read once in so many decisions. */
const clockEvery = 16;

/**
 * Takes a sample of decisions. Each sample stands for those since the one before it, so the weights of all samples sum up to all
 * decisions but the last few. Costs an addition where nothing is taken.
 */
export class DecisionSampler {
  readonly #options: SamplerOptions;
  /** Decisions since the last sample, and how many there shall be. */
  #since = 0;
  #stretch = 1;
  #lastMs = -Infinity;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Counts a decision. @returns how many decisions it stands for when it is to be recorded, else 0. `nowMs` is monotonic. */
  take(nowMs: () => number): number {
    const weight = ++this.#since;
    const isDue = weight >= this.#stretch;
    // After a flood the stretch is long: it ends early where few decisions come.
    if (!isDue && (weight % clockEvery !== 0 || nowMs() - this.#lastMs < 2 * this.#everyMs)) return 0;
    const atMs = nowMs();
    const passedMs = Math.max(atMs - this.#lastMs, 0.01);
    // As many as come in the time of one sample, half to one and a half of it; no leap, for the clock is coarse.
    const stretch = Math.round((weight * this.#everyMs * (0.5 + this.#options.fraction())) / passedMs);
    this.#stretch = Math.max(1, Math.min(stretch, weight * 4));
    this.#lastMs = atMs;
    this.#since = 0;
    return weight;
  }

  get #everyMs(): number {
    return 1000 / this.#options.perSecond;
  }
}

/** What broke, when, and the command that breaks it again. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly seed: number;

  constructor(seed: number, what: string) {
    super(`${what}; seed ${seed}: ./dev soak fill-sim --seed ${seed} --rounds 1`);
    this.seed = seed;
  }
}

/** Checks what must always hold, and counts the checks. */
export class Watch {
  checks = 0;
  readonly #seed: number;
  readonly #nowMs: () => number;

  constructor(seed: number, nowMs: () => number) {
    this.#seed = seed;
    this.#nowMs = nowMs;
  }

  /** @throws Violation with `what` where it does not hold. */
  holds(isTrue: boolean, what: () => string): void {
    this.checks++;
    if (!isTrue) throw new Violation(this.#seed, `${new Date(this.#nowMs()).toISOString()}: ${what()}`);
  }
}

/**
 * Measures a rate apart from the bucket that limits it: what has come in and not drained yet at the capped rate. Within any span of time no
 * more came than rate × span + `slackBytes` just where this never exceeds `slackBytes`.
 */
export class RateMeter {
  readonly #bytesPerSecond: number;
  readonly #slackBytes: number;
  #level = 0;
  #atMs = 0;

  constructor(bytesPerSecond: number, slackBytes: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#slackBytes = slackBytes;
  }

  /** Counts bytes; whether the rate is kept. */
  count(bytes: number, nowMs: number): boolean {
    const drained = ((nowMs - this.#atMs) / 1000) * this.#bytesPerSecond;
    this.#atMs = nowMs;
    this.#level = Math.max(0, this.#level - drained) + bytes;
    // A byte for what rounding leaves.
    return this.#level <= this.#slackBytes + 1;
  }
}

/** Lets at most so many runs go on at a time; the others wait in order. Whoever calls bounds how many may wait. */
export class Limiter {
  readonly #runsMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: { runsMax: number }) {
    this.#runsMax = options.runsMax;
  }

  /** Runs when it is this one's turn. */
  async run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#runsMax) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else {
      this.#running++;
    }
    try {
      return await start();
    } finally {
      // A turn is handed on, not given back, so that nobody who comes now overtakes.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

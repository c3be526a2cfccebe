import type { Clock } from '../../common/runtime/clock.ts';

/** Aborts what goes on for too long without progress, or when the signal does. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #options: { readonly clock: Clock; readonly ms: number };
  readonly #late = new AbortController();
  #wait = new AbortController();

  constructor(options: { clock: Clock; ms: number; signal: AbortSignal }) {
    this.#options = options;
    this.signal = AbortSignal.any([options.signal, this.#late.signal]);
    this.#start();
  }

  /** Whether it took too long. */
  get isOver(): boolean {
    return this.#late.signal.aborted;
  }

  /** There was progress: the time begins anew. */
  extend(): void {
    this.end();
    this.#wait = new AbortController();
    this.#start();
  }

  end(): void {
    this.#wait.abort();
  }

  #start(): void {
    const { clock, ms } = this.#options;
    clock.sleep(ms, { signal: this.#wait.signal }).then(
      () => {
        this.#late.abort();
      },
      () => undefined,
    );
  }
}

/** When a circuit opens and for how long. */
export interface CircuitOptions {
  /** So many failures in a row open it. */
  failuresMax: number;
  /** How long it stays open at first; twice as long each time that the trial fails. */
  openMs: number;
  openMsMax: number;
}

export const circuitDefaults: CircuitOptions = { failuresMax: 5, openMs: 500, openMsMax: 15_000 };

/**
 * Keeps requests from a service that fails: after some failures in a row nothing is sent for a while, then one request tries
 * whether it is back. Time is passed in.
 */
export class Circuit {
  readonly #options: CircuitOptions;
  #failures = 0;
  #openMs: number;
  /** While open: when one may try. */
  #tryAtMs: number | undefined;
  #isTrying = false;

  constructor(options: CircuitOptions) {
    this.#options = options;
    this.#openMs = options.openMs;
  }

  state(nowMs: number): 'closed' | 'open' | 'half-open' {
    if (this.#tryAtMs === undefined) return 'closed';
    return nowMs < this.#tryAtMs || this.#isTrying ? 'open' : 'half-open';
  }

  /** Whether a request may be sent; in a half-open circuit the first that asks is the trial. */
  enter(nowMs: number): boolean {
    const state = this.state(nowMs);
    if (state === 'half-open') this.#isTrying = true;
    return state !== 'open';
  }

  /** How a request that was sent has ended; `left`: nobody waited for its answer, so it tells nothing. */
  end(outcome: 'succeeded' | 'failed' | 'left', nowMs: number): void {
    const wasTrying = this.#isTrying;
    this.#isTrying = false;
    if (outcome === 'left') return;
    if (outcome === 'succeeded') {
      this.#failures = 0;
      this.#tryAtMs = undefined;
      this.#openMs = this.#options.openMs;
      return;
    }
    this.#failures++;
    if (wasTrying) this.#openMs = Math.min(this.#options.openMsMax, this.#openMs * 2);
    // What was sent before it opened ends later: that it fails too is nothing new.
    const isNews = wasTrying || this.#tryAtMs === undefined;
    if (isNews && this.#failures >= this.#options.failuresMax) this.#tryAtMs = nowMs + this.#openMs;
  }
}

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
  /** While half-open: who tries. */
  #trial: object | undefined;

  constructor(options: CircuitOptions) {
    this.#options = options;
    this.#openMs = options.openMs;
  }

  state(nowMs: number): 'closed' | 'open' | 'half-open' {
    if (this.#tryAtMs === undefined) return 'closed';
    return nowMs < this.#tryAtMs || this.#trial !== undefined ? 'open' : 'half-open';
  }

  /** Whether a request may be sent; in a half-open circuit the first that asks is the trial. A request is the object that stands for it. */
  enter(request: object, nowMs: number): boolean {
    const state = this.state(nowMs);
    if (state === 'half-open') this.#trial = request;
    return state !== 'open';
  }

  /** How a request that was sent has ended; `left`: nobody waited for its answer, so it tells nothing. */
  end(request: object, outcome: 'succeeded' | 'failed' | 'left', nowMs: number): void {
    const wasTrying = request === this.#trial;
    if (wasTrying) this.#trial = undefined;
    if (outcome === 'left') return;
    if (outcome === 'succeeded') {
      this.#failures = 0;
      this.#tryAtMs = undefined;
      this.#trial = undefined;
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

const SHARE = 0.1;
// A service that is seldom asked may be retried now and then.
const SAVED_MAX = 10;

/**
 * Lets at most a tenth of the requests be sent again, so that retries never multiply the load of a service in trouble; what is
 * not used is saved up to ten retries. Source of the idea: RetryBudget of github.com/twitter/finagle.
 */
export class RetryBudget {
  #saved = SAVED_MAX;

  /** Counts a request that was sent for the first time. */
  note(): void {
    this.#saved = Math.min(SAVED_MAX, this.#saved + SHARE);
  }

  /** Takes one retry, if there is one. */
  take(): boolean {
    // Ten tenths are a little less than one.
    if (this.#saved < 1 - 1e-9) return false;
    this.#saved -= 1;
    return true;
  }
}

/** No token lives longer, so neither does a session. */
const etaMsMax = 24 * 3_600_000;

/**
 * When a drain will be over, by a straight line: sessions went from the most that there were since it began to what there
 * are now, and go on leaving at that rate. Sessions leave when their players are steered elsewhere or have played to the
 * end. Without anybody left it is over; before anybody has left nothing is said.
 */
export class DrainEta {
  readonly #beganMs: number;
  #sessionsMost = 0;

  constructor(nowMs: number) {
    this.#beganMs = nowMs;
  }

  /** Milliseconds from now, or undefined where it cannot be told. */
  etaMs(nowMs: number, now: { liveSessions: number; liveRequests: number }): number | undefined {
    const { liveSessions, liveRequests } = now;
    this.#sessionsMost = Math.max(this.#sessionsMost, liveSessions);
    if (liveSessions === 0 && liveRequests === 0) return 0;
    const gone = this.#sessionsMost - liveSessions;
    const tookMs = nowMs - this.#beganMs;
    if (gone === 0 || tookMs <= 0) return undefined;
    return Math.min(etaMsMax, Math.round((liveSessions * tookMs) / gone));
  }
}

import type { Clock } from '../common/runtime/clock.ts';
import { DrainEta } from './core/drain-eta.ts';
import type { BoxState, ServingUnit } from './serving/unit.ts';

export interface DrainOptions {
  serving: Pick<ServingUnit, 'admit' | 'setState' | 'load' | 'close'>;
  clock: Clock;
  /** Tells the control plane that this box drains; resolves when it knows or cannot be told. */
  announce: () => Promise<void>;
  /** Time for all of it at the end of the process. */
  drainMs: number;
}

const graceMsMax = 2000;
const pollMs = 50;

/** Who may be served: an operator's drain keeps the sessions there are for as long as it lasts; the end does not. */
export class Drain {
  readonly #options: DrainOptions;
  #wanted = false;
  /** When everything is cut, once the process ends. */
  #endMs: number | undefined;
  #eta: DrainEta | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** What heartbeats say. */
  get state(): BoxState {
    return this.#wanted || this.#endMs !== undefined ? 'draining' : 'ready';
  }

  /** In how many milliseconds nobody will be served any more; undefined while it does not drain, or cannot be told. */
  etaMs(): number | undefined {
    const { clock, serving } = this.#options;
    const nowMs = clock.monotonicMs();
    const leftMs = this.#endMs === undefined ? undefined : Math.max(0, Math.round(this.#endMs - nowMs));
    const etaMs = this.#eta?.etaMs(nowMs, serving.load());
    return leftMs === undefined ? etaMs : Math.min(leftMs, etaMs ?? leftMs);
  }

  /** An operator wants the box drained, or back. */
  setWanted(wanted: boolean): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (this.#endMs !== undefined) return;
    const { serving, clock } = this.#options;
    this.#eta = wanted ? new DrainEta(clock.monotonicMs()) : undefined;
    serving.admit(wanted ? 'known-sessions' : 'all');
    serving.setState(this.state);
  }

  /**
   * Ends serving without anybody noticing: new sessions are refused and steering told; those that play go on until they
   * had time to be steered elsewhere; then everyone is told to go, what is in flight finishes, and the rest is cut.
   */
  async end(): Promise<void> {
    const { serving, clock, announce, drainMs } = this.#options;
    const endMs = clock.monotonicMs() + drainMs;
    this.#endMs = endMs;
    this.#eta ??= new DrainEta(clock.monotonicMs());
    serving.admit('known-sessions');
    serving.setState(this.state);
    const wasIdle = serving.load().liveRequests === 0;
    await announce();
    // A box that serves nobody has nobody to wait for.
    const graceEndMs = Math.min(endMs, clock.monotonicMs() + (wasIdle ? 0 : graceMsMax));
    while (clock.monotonicMs() < graceEndMs && serving.load().liveRequests > 0) await clock.sleep(pollMs);
    serving.admit('nobody');
    await serving.close(Math.max(0, endMs - clock.monotonicMs()));
  }
}

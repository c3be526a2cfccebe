import { backoffMs } from '../../common/core/backoff.ts';

/** A worker that lived for so long had a good start. */
const goodLifeMs = 30_000;
const delays = { firstMs: 250, maxMs: 30_000 };
/** Deaths in a row after which a worker counts as failing. */
const failingDeaths = 3;

/** When a worker that died is started again: at once the first time, then later and later, never not at all. */
export class RestartBackoff {
  #deaths = 0;

  /** It died again and again without serving for long. */
  get isFailing(): boolean {
    return this.#deaths >= failingDeaths;
  }

  /** It died after so long; returns how long to wait before the next start. */
  died(livedMs: number): number {
    this.#deaths = livedMs >= goodLifeMs ? 1 : this.#deaths + 1;
    if (this.#deaths === 1) return 0;
    return backoffMs(delays, this.#deaths - 2);
  }

  /** It has lived for so long by now. */
  lives(livedMs: number): void {
    if (livedMs >= goodLifeMs) this.#deaths = 0;
  }
}

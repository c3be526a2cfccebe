import { LRUCache } from 'lru-cache';

import type { FillSourcesReply } from '../../common/contract/fill.ts';
import { SingleFlight } from '../../common/core/single-flight.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { FillWay } from '../core/choose-way.ts';

export interface KnownWaysOptions {
  /** Asks the control plane where files are. */
  askSources: (files: string[], signal: AbortSignal) => Promise<FillSourcesReply>;
  clock: Clock;
  log: Log;
}

interface Known {
  readonly ways: readonly FillWay[];
  readonly atMs: number;
}

const filesMax = 4096;
const ageMsMax = 60_000;
/** An answer without ways is worth less: the file may just have been published. */
const noneAgeMsMax = 2000;
/** A viewer waits for it. */
const askMsMax = 2000;

/**
 * Where files that are not held may be had. While the control plane does not answer, what it said of a file before counts,
 * and of a file that it was not asked for yet the origins of its last answer: they have everything (ADR 9).
 */
export class KnownWays {
  readonly #options: KnownWaysOptions;
  readonly #known = new LRUCache<string, Known>({ max: filesMax });
  readonly #asking = new SingleFlight<readonly FillWay[]>();
  #origins: readonly FillWay[] = [];

  constructor(options: KnownWaysOptions) {
    this.#options = options;
  }

  async waysOf(file: string, signal: AbortSignal): Promise<readonly FillWay[]> {
    const known = this.#known.get(file);
    const ageMs = known === undefined ? Infinity : this.#options.clock.monotonicMs() - known.atMs;
    if (known !== undefined && ageMs < (known.ways.length > 0 ? ageMsMax : noneAgeMsMax)) return known.ways;
    return this.#asking.run(file, () => this.#ask(file, signal));
  }

  /** What is known of a file did not work: it is asked for anew. */
  forget(file: string): void {
    this.#known.delete(file);
  }

  async #ask(file: string, signal: AbortSignal): Promise<readonly FillWay[]> {
    const { askSources, clock, log } = this.#options;
    try {
      const either = AbortSignal.any([signal, AbortSignal.timeout(askMsMax)]);
      const { sources } = await askSources([file], either);
      const ways = sources.find((source) => source.file === file)?.ways ?? [];
      const origins = ways.filter(({ kind }) => kind === 'origin');
      if (origins.length > 0) this.#origins = origins;
      this.#known.set(file, { ways, atMs: clock.monotonicMs() });
      return ways;
    } catch (error) {
      log.debug({ err: error, file }, 'no ways to a missing file: the control plane does not answer');
      return this.#known.get(file)?.ways ?? this.#origins;
    }
  }
}

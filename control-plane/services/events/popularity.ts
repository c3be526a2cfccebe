import type { Records } from '../../../common/adapters/records/port.ts';
import type { SavingsReport } from '../../../common/contract/savings.ts';
import type { ServedReportReply, ServedSummary } from '../../../common/contract/served.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createDebounced, type Debounced } from '../debounce.ts';
import { createListeners } from '../listeners.ts';
import type { FollowedLog } from '../log-follower.ts';
import { PopularityConsumer } from './popularity-consumer.ts';
import type { EventsOptions, ServedLog, ServedNodes, SitePopularity, SizedBundle } from './ports.ts';
import type { SavingsScope } from './savings.ts';
import { ServedIntake } from './served.ts';

/** Types of events that popularity is learned from. */
export const popularityEvents = ['session', 'served-report'] as const;

export interface PopularityOptions {
  /** The log, wherever it is kept: events of the types above suffice. It may be away. */
  readonly events: FollowedLog & ServedLog;
  readonly records: Records;
  readonly nodes: ServedNodes;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: Pick<EventsOptions, 'halfLifeMs' | 'fastHalfLifeMs' | 'weightsMax' | 'changeDelayMs'>;
}

/** What viewers want, as nodes report it and sessions show: weights, which lie where plans are made of them. */
export interface Popularity {
  /**
   * Takes a node's signed report of what it has served; resolves when it is on the disk. Errors: SIGNATURE_INVALID,
   * KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_EXPIRED, DISK_FULL, OVERLOADED, STORE_UNAVAILABLE, UNAVAILABLE.
   */
  takeServed(nodeId: string, jws: string): Promise<ServedReportReply>;
  /** What a node has served altogether; undefined for one that has told nothing. */
  servedBy(nodeId: string): ServedSummary | undefined;
  /** How popular a bundle is now, everywhere: smoothed bytes served ÷ its size. */
  popularityOf(bundle: SizedBundle): number;
  /** What the viewers of a site want: as of now, for one plan. */
  popularityAt(site: string): SitePopularity;
  /** Hears, some seconds after the first of several changes, that popularity has changed. */
  onPopularityChange(listener: () => void): () => void;
  /** What a site's boxes have spared the network above them, by the reports that they signed. */
  savings(scope: SavingsScope): Promise<SavingsReport>;
  /** Brings everything in the log into what is learned: for tests. */
  flush(): Promise<void>;
  /** Starts to follow the log; ends with the signal. */
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

/** Opens popularity over its records. Errors: those of the records port. */
export async function createPopularity(options: PopularityOptions): Promise<Popularity> {
  const popularity = new LearnedPopularity(options);
  await popularity.open();
  return popularity;
}

class LearnedPopularity implements Popularity {
  readonly #consumer: PopularityConsumer;
  readonly #served: ServedIntake;
  readonly #changed: Debounced;
  readonly #listeners = createListeners<undefined>();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: PopularityOptions) {
    const { events, nodes, clock, log, options } = deps;
    this.#changed = createDebounced({
      clock,
      delayMs: options.changeDelayMs,
      run: async () => {
        this.#listeners.tell(undefined);
      },
      onError: (error) => {
        log.error({ err: error }, 'a change of popularity could not be passed on');
      },
    });
    this.#consumer = new PopularityConsumer({
      ...deps,
      halfLives: options,
      weightsMax: options.weightsMax,
      onChange: () => {
        this.#changed.request();
      },
    });
    const lastOf = (nodeId: string) => this.#consumer.lastReportOf(nodeId);
    this.#served = new ServedIntake({ log: events, nodes, lastOf, clock });
  }

  async open(): Promise<void> {
    await this.#consumer.open();
  }

  takeServed(nodeId: string, jws: string): Promise<ServedReportReply> {
    return this.#served.take(nodeId, jws);
  }

  servedBy(nodeId: string): ServedSummary | undefined {
    return this.#consumer.servedBy(nodeId);
  }

  popularityOf(bundle: SizedBundle): number {
    return this.#consumer.popularityOf(bundle);
  }

  popularityAt(site: string): SitePopularity {
    return this.#consumer.popularityAt(site);
  }

  onPopularityChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  savings(scope: SavingsScope): Promise<SavingsReport> {
    return this.#consumer.savings(scope);
  }

  flush(): Promise<void> {
    return this.#consumer.catchUp();
  }

  start(outer: AbortSignal): void {
    this.#running = this.#consumer.run(AbortSignal.any([outer, this.#stopping.signal]));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#changed.stop();
  }
}

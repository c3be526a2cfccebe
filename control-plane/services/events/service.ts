import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Events } from '../../../common/adapters/events/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { EventData } from '../../../common/contract/event-log.ts';
import type { EventLogView } from '../../../common/contract/event-log-view.ts';
import type { EventBatchReply } from '../../../common/contract/playback.ts';
import type { QoeReport } from '../../../common/contract/qoe.ts';
import type { RowsReport } from '../../../common/contract/rows-report.ts';
import type { SavingsReport } from '../../../common/contract/savings.ts';
import type { ServedReportReply, ServedSummary } from '../../../common/contract/served.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createDebounced, type Debounced } from '../debounce.ts';
import { createListeners } from '../listeners.ts';
import { CmcdIntake } from './cmcd-intake.ts';
import { cmcdLines } from './core/cmcd-events.ts';
import { EventCaps } from './event-caps.ts';
import { EventExport } from './export.ts';
import { Intake, type IntakeOptions, type ReportedEvent, type Reporter } from './intake.ts';
import { PopularityConsumer } from './popularity-consumer.ts';
import type { EventsOptions, ServedNodes, SitePopularity, SizedBundle } from './ports.ts';
import { QoeConsumer, type QoeScope } from './qoe-consumer.ts';
import { RowsConsumer, type RowsScope } from './rows-consumer.ts';
import type { SavingsScope } from './savings.ts';
import { ServedIntake } from './served.ts';

export interface EventsDependencies {
  readonly events: Events;
  readonly records: Records;
  /** Where Parquet files go. */
  readonly blobs: Blobs;
  readonly nodes: ServedNodes;
  readonly reported: IntakeOptions['reported'];
  readonly readTickets: IntakeOptions['readTickets'];
  readonly clock: Clock;
  readonly log: Log;
  readonly options: EventsOptions;
}

/** What players and nodes report, and what is learned from it. */
export interface EventsService {
  /**
   * Takes a player's batch; resolves when it is on the disk. Errors: RATE_LIMITED above the cap of the reporter or of its address, DISK_FULL,
   * OVERLOADED, STORE_UNAVAILABLE.
   */
  take(batch: readonly ReportedEvent[], reporter: Reporter): Promise<EventBatchReply>;
  /** The same for the body of a player's CMCD event reports. Errors: those of `take`; INVALID where no line is a report. */
  takeCmcd(body: string, reporter: Reporter): Promise<EventBatchReply>;
  /**
   * Takes a node's signed report of what it has served; resolves when it is on the disk. Errors: SIGNATURE_INVALID,
   * KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_EXPIRED, DISK_FULL, OVERLOADED, STORE_UNAVAILABLE.
   */
  takeServed(nodeId: string, jws: string): Promise<ServedReportReply>;
  /**
   * Takes that a session of a bundle has begun, for a viewer at a site where that is known; resolves when it is on the disk.
   * Errors: DISK_FULL, OVERLOADED, STORE_UNAVAILABLE.
   */
  noteSession(session: EventData<'session'>): Promise<void>;
  /** What a node has served altogether; undefined for one that has told nothing. */
  servedBy(nodeId: string): ServedSummary | undefined;
  /** How popular a bundle is now, everywhere: smoothed bytes served ÷ its size. */
  popularityOf(bundle: SizedBundle): number;
  /** What the viewers of a site want: as of now, for one plan. */
  popularityAt(site: string): SitePopularity;
  /** Hears, some seconds after the first of several changes, that popularity has changed. */
  onPopularityChange(listener: () => void): () => void;
  /** How playing went in the last days. `nameOf`: what people call a row; undefined for one that keeps its key. */
  qoe(of: QoeScope, nameOf: (key: string) => string | undefined): Promise<QoeReport>;
  /** What became of the rows that viewers were shown in the last days. */
  rows(of: RowsScope): Promise<RowsReport>;
  /** What a site's boxes have spared the network above them, by the reports that they signed. */
  savings(scope: SavingsScope): Promise<SavingsReport>;
  /** What the log holds, who has read how far, and what of it is exported. */
  log(): Promise<EventLogView>;
  /** Begins to write what is in the log into Parquet files, if that is not under way. */
  export(): Promise<EventLogView>;
  /** Brings everything in the log into what is learned: for tests. */
  flush(): Promise<void>;
  /** Starts what runs beside requests; ends with the signal. */
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

/** Opens the service over its log and records. Errors: those of the ports. */
export async function createEventsService(deps: EventsDependencies): Promise<EventsService> {
  const service = new LearningEvents(deps);
  await service.open();
  return service;
}

class LearningEvents implements EventsService {
  readonly #deps: EventsDependencies;
  readonly #caps: EventCaps;
  readonly #intake: Intake;
  readonly #cmcd: CmcdIntake;
  readonly #served: ServedIntake;
  readonly #popularity: PopularityConsumer;
  readonly #qoe: QoeConsumer;
  readonly #rows: RowsConsumer;
  readonly #export: EventExport;
  readonly #changed: Debounced;
  readonly #listeners = createListeners<undefined>();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: EventsDependencies) {
    this.#deps = deps;
    const { clock, events, log, options } = deps;
    this.#caps = new EventCaps({ clock, options });
    this.#intake = new Intake({
      ...{ events, clock, options, reported: deps.reported, readTickets: deps.readTickets },
      siteOf: (nodeId) => deps.nodes.siteOf(nodeId),
    });
    this.#cmcd = new CmcdIntake({ intake: this.#intake, clientsMax: options.clientsMax });
    this.#served = new ServedIntake({
      events,
      nodes: deps.nodes,
      lastOf: (nodeId) => this.#popularity.lastReportOf(nodeId),
      clock,
    });
    this.#qoe = new QoeConsumer({ ...deps, isNode: (id) => deps.nodes.isNode(id) });
    this.#rows = new RowsConsumer(deps);
    this.#export = new EventExport({ ...deps, eventsPerFile: options.eventsPerFile });
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
    this.#popularity = new PopularityConsumer({
      ...deps,
      halfLives: options,
      weightsMax: options.weightsMax,
      onChange: () => {
        this.#changed.request();
      },
    });
  }

  async open(): Promise<void> {
    await this.#intake.open();
    await this.#popularity.open();
    await this.#qoe.open();
    await this.#rows.open();
    await this.#export.open();
  }

  async take(batch: readonly ReportedEvent[], reporter: Reporter): Promise<EventBatchReply> {
    this.#caps.charge(reporter, batch.length);
    return this.#intake.take(batch, reporter);
  }

  async takeCmcd(body: string, reporter: Reporter): Promise<EventBatchReply> {
    const lines = cmcdLines(body);
    this.#caps.charge(reporter, lines.length);
    return this.#cmcd.take(lines, reporter);
  }

  takeServed(nodeId: string, jws: string): Promise<ServedReportReply> {
    return this.#served.take(nodeId, jws);
  }

  async noteSession(session: EventData<'session'>): Promise<void> {
    const { events, clock } = this.#deps;
    await events.append([{ type: 'session', timeMs: clock.nowMs(), data: session }]);
  }

  servedBy(nodeId: string): ServedSummary | undefined {
    return this.#popularity.servedBy(nodeId);
  }

  popularityOf(bundle: SizedBundle): number {
    return this.#popularity.popularityOf(bundle);
  }

  popularityAt(site: string): SitePopularity {
    return this.#popularity.popularityAt(site);
  }

  qoe(of: QoeScope, nameOf: (key: string) => string | undefined): Promise<QoeReport> {
    return this.#qoe.report(of, nameOf);
  }

  rows(of: RowsScope): Promise<RowsReport> {
    return this.#rows.report(of);
  }

  savings(scope: SavingsScope): Promise<SavingsReport> {
    return this.#popularity.savings(scope);
  }

  async log(): Promise<EventLogView> {
    const { firstOffset, lastOffset, sizeBytes, consumers } = await this.#deps.events.status();
    return {
      ...{ firstOffset, lastOffset, sizeBytes },
      consumers: consumers.map(({ name, offset }) => ({ name, offset, behind: lastOffset - offset })),
      export: this.#export.view,
    };
  }

  async export(): Promise<EventLogView> {
    await this.#export.begin();
    return this.log();
  }

  onPopularityChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  async flush(): Promise<void> {
    await this.#popularity.catchUp();
    await this.#qoe.catchUp();
    await this.#rows.catchUp();
  }

  start(outer: AbortSignal): void {
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    this.#running = Promise.all([
      this.#popularity.run(signal),
      this.#qoe.run(signal),
      this.#rows.run(signal),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#export.stop();
    await this.#running;
    await this.#changed.stop();
  }
}

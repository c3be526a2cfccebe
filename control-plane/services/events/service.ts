import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Events } from '../../../common/adapters/events/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { EventData } from '../../../common/contract/event-log.ts';
import type { EventLogView } from '../../../common/contract/event-log-view.ts';
import type { EventBatchReply } from '../../../common/contract/playback.ts';
import type { QoeReport } from '../../../common/contract/qoe.ts';
import type { RowsReport } from '../../../common/contract/rows-report.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { CmcdIntake } from './cmcd-intake.ts';
import { cmcdLines } from './core/cmcd-events.ts';
import { EventCaps } from './event-caps.ts';
import { followLog } from './event-log.ts';
import { EventExport } from './export.ts';
import { Intake, type IntakeOptions, type ReportedEvent, type Reporter } from './intake.ts';
import type { EventsOptions } from './ports.ts';
import { QoeConsumer, type NamesOf, type QoeScope } from './qoe-consumer.ts';
import { RowsConsumer, type RowsScope } from './rows-consumer.ts';

export interface EventsDependencies {
  readonly events: Events;
  readonly records: Records;
  /** Where Parquet files go. */
  readonly blobs: Blobs;
  readonly nodes: IntakeOptions['nodes'];
  readonly reported: IntakeOptions['reported'];
  readonly readTickets: IntakeOptions['readTickets'];
  readonly clock: Clock;
  readonly log: Log;
  readonly options: EventsOptions;
}

/** What players report, and what is added up of it. */
export interface EventsService {
  /**
   * Takes a player's batch; resolves when it is on the disk. Errors: RATE_LIMITED above the cap of the reporter or of its address, DISK_FULL,
   * OVERLOADED, STORE_UNAVAILABLE, UNAVAILABLE.
   */
  take(batch: readonly ReportedEvent[], reporter: Reporter): Promise<EventBatchReply>;
  /** The same for the body of a player's CMCD event reports. Errors: those of `take`; INVALID where no line is a report. */
  takeCmcd(body: string, reporter: Reporter): Promise<EventBatchReply>;
  /**
   * Takes that a session of a bundle has begun, for a viewer at a site where that is known; resolves when it is on the disk.
   * Errors: DISK_FULL, OVERLOADED, STORE_UNAVAILABLE.
   */
  noteSession(session: EventData<'session'>): Promise<void>;
  /** How playing went in the last days. `namesOf`: what people call rows; those that it does not name keep their keys. */
  qoe(of: QoeScope, namesOf: NamesOf): Promise<QoeReport>;
  /** What became of the rows that viewers were shown in the last days. */
  rows(of: RowsScope): Promise<RowsReport>;
  /** What the log holds, who has read how far, and what of it is exported. */
  log(): Promise<EventLogView>;
  /** Begins to write what is in the log into Parquet files, if that is not under way. */
  export(): Promise<EventLogView>;
  /** Brings everything in the log into what is added up: for tests. */
  flush(): Promise<void>;
  /** Starts what runs beside requests; ends with the signal. */
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

/** Opens the service over its log and records. Errors: those of the ports. */
export async function createEventsService(deps: EventsDependencies): Promise<EventsService> {
  const service = new LoggedEvents(deps);
  await service.open();
  return service;
}

class LoggedEvents implements EventsService {
  readonly #deps: EventsDependencies;
  readonly #caps: EventCaps;
  readonly #intake: Intake;
  readonly #cmcd: CmcdIntake;
  readonly #qoe: QoeConsumer;
  readonly #rows: RowsConsumer;
  readonly #export: EventExport;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: EventsDependencies) {
    this.#deps = deps;
    const { clock, events, options } = deps;
    this.#caps = new EventCaps({ clock, options });
    this.#intake = new Intake(deps);
    this.#cmcd = new CmcdIntake({ intake: this.#intake, clientsMax: options.clientsMax });
    const consumed = { ...deps, events: followLog(events) };
    this.#qoe = new QoeConsumer(consumed);
    this.#rows = new RowsConsumer(consumed);
    this.#export = new EventExport({ ...deps, eventsPerFile: options.eventsPerFile });
  }

  async open(): Promise<void> {
    await this.#intake.open();
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

  async noteSession(session: EventData<'session'>): Promise<void> {
    const { events, clock } = this.#deps;
    await events.append([{ type: 'session', timeMs: clock.nowMs(), data: session }]);
  }

  qoe(of: QoeScope, namesOf: NamesOf): Promise<QoeReport> {
    return this.#qoe.report(of, namesOf);
  }

  rows(of: RowsScope): Promise<RowsReport> {
    return this.#rows.report(of);
  }

  async log(): Promise<EventLogView> {
    const { firstOffset, lastOffset, sizeBytes, consumers } = await this.#deps.events.status();
    return {
      ...{ firstOffset, lastOffset, sizeBytes },
      consumers: consumers
        .map(({ name, offset }) => ({ name, offset, behind: lastOffset - offset }))
        .sort((one, other) => (one.name < other.name ? -1 : 1)),
      export: this.#export.view,
    };
  }

  async export(): Promise<EventLogView> {
    await this.#export.begin();
    return this.log();
  }

  async flush(): Promise<void> {
    await this.#qoe.catchUp();
    await this.#rows.catchUp();
  }

  start(outer: AbortSignal): void {
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    this.#running = Promise.all([this.#qoe.run(signal), this.#rows.run(signal)]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#export.stop();
    await this.#running;
  }
}

import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { Events, StoredEvent } from '../../../common/adapters/events/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { eventSchemas } from '../../../common/contract/event-log.ts';
import type { RowsDimension, RowsReport } from '../../../common/contract/rows-report.ts';
import { Type } from '../../../common/contract/type.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { matches, parseAs } from '../../../common/runtime/parse.ts';
import { addRows, noRows, rowsLine, rowsPlaces, type RowsSums } from './core/rows-sums.ts';
import { DailySums } from './daily-sums.ts';
import { LogFollower } from './follower.ts';

const Count = Type.Number({ minimum: 0 });
const RowsRecord = Type.Object({ shown: Count, chosen: Count, shownWeight: Count, chosenWeight: Count });

export interface RowsConsumerOptions {
  readonly events: Events;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a report is about: the last days, today included. */
export interface RowsScope {
  readonly by: RowsDimension;
  readonly days: number;
}

const linesMax = 1000;

/** Adds up what was shown and chosen of rows. Sums and the offset of the log change in one commit. */
export class RowsConsumer {
  readonly #options: RowsConsumerOptions;
  readonly #sums: DailySums<RowsSums>;
  readonly #follower: LogFollower;

  constructor(options: RowsConsumerOptions) {
    this.#options = options;
    this.#sums = new DailySums<RowsSums>({
      sums: openCollection(options.records, 'rows-sums', (value) =>
        parseAs(RowsRecord, value, { what: 'what was chosen of rows', code: 'STORE_CORRUPT' }),
      ),
      ...{ none: noRows, add: addRows, clock: options.clock },
    });
    this.#follower = new LogFollower({
      ...options,
      ...{ consumer: 'rows', what: 'it is added up what was chosen of rows' },
      handle: (events, next) => this.#fold(events, next),
    });
  }

  /** Finds where the process before has ended. */
  open(): Promise<void> {
    return this.#follower.open();
  }

  /** Follows the log until the signal. What fails is tried again. */
  run(signal: AbortSignal): Promise<void> {
    return this.#follower.run(signal);
  }

  /** Handles everything that is in the log now. */
  catchUp(): Promise<void> {
    return this.#follower.catchUp();
  }

  /** What became of rows in the last days. */
  async report({ by, days }: RowsScope): Promise<RowsReport> {
    const { sinceMs, untilMs, byName } = await this.#sums.of(by, days);
    const rows = [...byName]
      .map(([name, sums]) => rowsLine(name, sums))
      .sort((one, other) => other.impressions - one.impressions || (one.name < other.name ? -1 : 1));
    return { by, sinceMs, untilMs, rows: rows.slice(0, linesMax) };
  }

  async #fold(events: readonly StoredEvent[], next: number): Promise<void> {
    const batch = this.#sums.batch();
    for (const { offset, type, data } of events) {
      if (type !== 'impression') continue;
      if (!matches(eventSchemas.impression, data)) {
        this.#options.log.error({ offset, type }, 'an event is not readable; it is passed over');
        continue;
      }
      for (const { by, name, sums } of rowsPlaces(data)) batch.add({ timeMs: data.timeMs, by, name }, sums);
    }
    await this.#follower.commit(next, { operations: await batch.operations() });
  }
}

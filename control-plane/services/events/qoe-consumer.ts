import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { Events, StoredEvent } from '../../../common/adapters/events/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { eventSchemas } from '../../../common/contract/event-log.ts';
import type { QoeDimension, QoeReport } from '../../../common/contract/qoe.ts';
import { Type } from '../../../common/contract/type.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { matches, parseAs } from '../../../common/runtime/parse.ts';
import { addQoe, noQoe, qoeOf, qoePlaces, qoeRow, startSteps, type QoeSums } from './core/qoe.ts';
import { DailySums } from './daily-sums.ts';
import { LogFollower } from './follower.ts';

const Count = Type.Number({ minimum: 0 });
const QoeRecord = Type.Object({
  ...{ plays: Count, failures: Count, playedMs: Count, stalls: Count, stallMs: Count },
  starts: Type.Array(Count, { minItems: startSteps, maxItems: startSteps }),
  ...{ playedBits: Count, bitrateMs: Count },
});

export interface QoeDependencies {
  readonly events: Events;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a node of this name is enrolled: a player's word alone makes no row. */
  readonly isNode: (id: string) => boolean;
}

/** What a report is about: the last days, today included. */
export interface QoeScope {
  readonly by: QoeDimension;
  readonly days: number;
}

const rowsMax = 1000;

/**
 * Adds up how playing went from what players told, by day and by site, appliance, kind of device and title. Sums and the offset of
 * the log change in one commit. Only events of a session count, since its token proves that it is one.
 */
export class QoeConsumer {
  readonly #deps: QoeDependencies;
  readonly #sums: DailySums<QoeSums>;
  readonly #follower: LogFollower;

  constructor(deps: QoeDependencies) {
    this.#deps = deps;
    this.#sums = new DailySums<QoeSums>({
      sums: openCollection<QoeSums>(deps.records, 'qoe-sums', (value) =>
        parseAs(QoeRecord, value, { what: 'how playing went', code: 'STORE_CORRUPT' }),
      ),
      ...{ none: noQoe, add: addQoe, clock: deps.clock },
    });
    this.#follower = new LogFollower({
      ...deps,
      ...{ consumer: 'qoe', what: 'it is added up how playing went' },
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

  /** How playing went in the last days, today included. `nameOf`: what people call a row; undefined for one that is to keep its key. */
  async report({ by, days }: QoeScope, nameOf: (key: string) => string | undefined): Promise<QoeReport> {
    const { sinceMs, untilMs, byName } = await this.#sums.of(by, days);
    const rows = [...byName]
      .map(([name, one]) => qoeRow(nameOf(name) ?? name, one))
      .sort((a, b) => b.plays - a.plays || (a.name < b.name ? -1 : 1));
    return {
      ...{ by, sinceMs, untilMs },
      rows: rows.slice(0, rowsMax),
      left: Math.max(0, rows.length - rowsMax),
    };
  }

  async #fold(events: readonly StoredEvent[], next: number): Promise<void> {
    const batch = this.#sums.batch();
    for (const { offset, type, data } of events) {
      if (type !== 'player') continue;
      if (!matches(eventSchemas.player, data)) {
        this.#deps.log.error({ offset, type }, 'an event is not readable; it is passed over');
        continue;
      }
      const sums = data.session === undefined ? undefined : qoeOf(data);
      if (sums === undefined) continue;
      for (const [by, name] of qoePlaces(data, this.#deps))
        batch.add({ timeMs: data.timeMs, by, name }, sums);
    }
    await this.#follower.commit(next, { operations: await batch.operations() });
  }
}

import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Events, StoredEvent } from '../../../common/adapters/events/port.ts';
import type { RecordOperation, Records } from '../../../common/adapters/records/port.ts';
import { eventSchemas } from '../../../common/contract/event-log.ts';
import type { QoeDimension, QoeReport } from '../../../common/contract/qoe.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { matches, parseAs } from '../../../common/runtime/parse.ts';
import { addQoe, noQoe, qoeOf, qoePlaces, qoeRow, startSteps, type QoeSums } from './core/qoe.ts';
import { LogFollower } from './follower.ts';

const Count = Type.Number({ minimum: 0 });
const QoeRecord = Type.Object({
  ...{ plays: Count, failures: Count, playedMs: Count, stalls: Count, stallMs: Count },
  starts: Type.Array(Count, { minItems: startSteps, maxItems: startSteps }),
  ...{ playedBits: Count, bitrateMs: Count },
});
type QoeRecord = Static<typeof QoeRecord>;

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

const dayMs = 86_400_000;
const daysKept = 400;
const rowsMax = 1000;

/**
 * Adds up how playing went from what players told, by day and by site, appliance, kind of device and title. Sums and the offset of
 * the log change in one commit. Only events of a session count, since its token proves that it is one.
 */
export class QoeConsumer {
  readonly #deps: QoeDependencies;
  readonly #sums: Collection<QoeRecord>;
  readonly #follower: LogFollower;
  #prunedDay = 0;

  constructor(deps: QoeDependencies) {
    this.#deps = deps;
    this.#sums = openCollection(deps.records, 'qoe-sums', (value) =>
      parseAs(QoeRecord, value, { what: 'how playing went', code: 'STORE_CORRUPT' }),
    );
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
    const nowMs = this.#deps.clock.nowMs();
    const today = Math.floor(nowMs / dayMs);
    const sums = new Map<string, QoeSums>();
    for (let day = today - days + 1; day <= today; day++) {
      const prefix = keyOf(day, by, '');
      for await (const { key, value } of this.#sums.all(prefix)) {
        const name = key.slice(prefix.length);
        sums.set(name, addQoe(sums.get(name) ?? noQoe, value));
      }
    }
    const rows = [...sums]
      .map(([name, one]) => qoeRow(nameOf(name) ?? name, one))
      .sort((a, b) => b.plays - a.plays || (a.name < b.name ? -1 : 1));
    return {
      by,
      sinceMs: (today - days + 1) * dayMs,
      untilMs: nowMs,
      rows: rows.slice(0, rowsMax),
      left: Math.max(0, rows.length - rowsMax),
    };
  }

  async #fold(events: readonly StoredEvent[], next: number): Promise<void> {
    const added = new Map<string, QoeSums>();
    for (const event of events) this.#add(event, added);
    const operations: RecordOperation[] = [];
    for (const [key, sums] of added) {
      const before = (await this.#sums.get(key))?.value ?? noQoe;
      const after = addQoe(before, sums);
      operations.push(this.#sums.putOperation(key, { ...after, starts: [...after.starts] }));
    }
    if (operations.length > 0) operations.push(...(await this.#prune()));
    await this.#follower.commit(next, { operations });
  }

  #add({ offset, type, data }: StoredEvent, added: Map<string, QoeSums>): void {
    if (type !== 'player') return;
    if (!matches(eventSchemas.player, data)) {
      this.#deps.log.error({ offset, type }, 'an event is not readable; it is passed over');
      return;
    }
    const sums = data.session === undefined ? undefined : qoeOf(data);
    if (sums === undefined) return;
    const day = Math.floor(data.timeMs / dayMs);
    for (const [dimension, name] of qoePlaces(data, this.#deps)) {
      const key = keyOf(day, dimension, name);
      added.set(key, addQoe(added.get(key) ?? noQoe, sums));
    }
  }

  /** What is older than is kept, once a day and some at a time. */
  async #prune(): Promise<RecordOperation[]> {
    const today = Math.floor(this.#deps.clock.nowMs() / dayMs);
    if (today === this.#prunedDay) return [];
    const oldest = keyOf(today - daysKept, 'appliance', '');
    const old = (await this.#sums.scan({ limit: 1000 })).filter(({ key }) => key < oldest);
    if (old.length === 0) this.#prunedDay = today;
    return old.map(({ key }) => this.#sums.removeOperation(key));
  }
}

/** Sorts as days do. */
function keyOf(day: number, dimension: QoeDimension, name: string): string {
  return `${String(day).padStart(8, '0')}/${dimension}/${name}`;
}

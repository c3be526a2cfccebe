import type { StoredEvent } from '../../../common/adapters/events/port.ts';
import type { Collection } from '../../../common/adapters/records/collection.ts';
import { eventSchemas, type EventData, type EventType } from '../../../common/contract/event-log.ts';
import { matches } from '../../../common/runtime/parse.ts';
import { DailySums } from './daily-sums.ts';
import { LogConsumer, type ConsumerDependencies } from '../log-follower.ts';

/** Types of events that say when it was that they tell of. */
type TimedType = { [T in EventType]: EventData<T> extends { timeMs: number } ? T : never }[EventType];

/** What a report is about: the last days, today included. */
export interface DailyScope<By extends string> {
  readonly by: By;
  readonly days: number;
}

export interface DailyConsumerOptions<T extends TimedType, S extends object> {
  /** Its name in the log and in the records. */
  readonly consumer: string;
  /** What it does, for the log. */
  readonly what: string;
  /** The events that it reads: those that have a time of their own. */
  readonly type: T;
  readonly sums: Collection<S>;
  readonly none: S;
  readonly add: (one: S, other: S) => S;
  /** Of some events, what each adds, and where. */
  readonly placing: (events: readonly EventData<T>[]) => Promise<PlacesOf<EventData<T>, S>>;
}

/** What an event adds, and where. */
type PlacesOf<Data, S> = (data: Data) => readonly { by: string; name: string; sums: S }[];

/** Adds events of one type up by day. Sums and the offset of the log change in one commit, so that each event counts once. */
export class DailyConsumer<T extends TimedType, S extends object> extends LogConsumer {
  readonly #options: DailyConsumerOptions<T, S> & Pick<ConsumerDependencies, 'log'>;
  protected readonly sums: DailySums<S>;

  constructor(deps: ConsumerDependencies, options: DailyConsumerOptions<T, S>) {
    const { consumer, what, sums, none, add } = options;
    super({ ...deps, consumer, what });
    this.#options = { ...options, log: deps.log };
    this.sums = new DailySums({ sums, none, add, clock: deps.clock });
  }

  protected override async handle(events: readonly StoredEvent[], next: number): Promise<void> {
    const { type: wanted, placing, log } = this.#options;
    const readable = events.flatMap(({ offset, type, data }): EventData<T>[] => {
      if (type !== wanted) return [];
      if (matches(eventSchemas[wanted], data)) return [data];
      log.error({ offset, type }, 'an event is not readable; it is passed over');
      return [];
    });
    const placesOf = await placing(readable);
    const batch = this.sums.batch();
    for (const data of readable)
      for (const { by, name, sums } of placesOf(data)) batch.add({ timeMs: data.timeMs, by, name }, sums);
    await this.follower.commit(next, { operations: await batch.operations() });
  }
}

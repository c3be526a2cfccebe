import type { EventPage, StoredEvent } from '../../common/adapters/events/port.ts';
import { openCollection, type Collection } from '../../common/adapters/records/collection.ts';
import type { RecordOperation, Records } from '../../common/adapters/records/port.ts';
import { TimeMs } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { createTurns } from './turns.ts';

/** A place in a log: an offset says nothing without the id of its log. */
export interface LogPlace {
  readonly log: string;
  readonly offset: number;
}

/**
 * The event log as who learns from it follows it; see the events port. Who wants events of some types is given those alone.
 * Errors: those of the port, UNAVAILABLE; CONFLICT where it is another log than that of the place.
 */
export interface FollowedLog {
  read(after: LogPlace): Promise<EventPage>;
  /** Resolves when there may be an event behind the place. */
  wait(after: LogPlace, signal: AbortSignal): Promise<void>;
  /** The place of the last event. */
  end(): Promise<LogPlace>;
  commit(consumer: string, place: LogPlace): Promise<void>;
}

const OffsetRecord = Type.Object({
  /** Of which log; absent where a version before logs had ids has written it. */
  log: Type.Optional(Type.String()),
  offset: Type.Integer({ minimum: 0 }),
  /** When the latest event that counts was appended; of this log, or of one before it. */
  countedToMs: Type.Optional(TimeMs),
  /** What this log holds from up to then counts already, from the log before it. */
  passedToMs: Type.Optional(TimeMs),
});
type OffsetRecord = Static<typeof OffsetRecord>;

/** Up to where in the log events count, by consumer. */
export function openOffsets(records: Records): Collection<OffsetRecord> {
  return openCollection(records, 'event-offsets', (value) =>
    parseAs(OffsetRecord, value, { what: 'an offset', code: 'STORE_CORRUPT' }),
  );
}

/** What consumers of the log work with. */
export interface ConsumerDependencies {
  readonly events: FollowedLog;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FollowerOptions extends ConsumerDependencies {
  /** Its name in the log and in the records. */
  readonly consumer: string;
  /** What it does, for the log: "popularity is learned". */
  readonly what: string;
  /** Handles some events in order and calls `commit` with their end, and before as often as it likes. */
  readonly handle: (events: readonly StoredEvent[], next: number) => Promise<void>;
  /** Hears that the log is another one, which is read from its beginning. */
  readonly onRestart?: () => void;
}

const retryAfterMs = 1000;
// Events that change nothing may come again, and retention may wait: to keep where they end is worth a write now and then.
const unkeptMax = 10_000;
// Handled together, since each commit waits for the disk; a page is 1000 events or 4 MiB.
const pagesAtOnce = 4;

/**
 * Follows the log exactly once: what an event changes and the place up to which events count are in one commit of the
 * records, so an event counts once whenever the process dies. The log's own offset follows, for retention only.
 *
 * Another log (its id says so) is read from its beginning, and what was learned from the one before it stays: that log is gone. What the new one
 * holds from up to the latest event that counts is passed over, since then it is a copy of the log before it.
 */
export class LogFollower {
  readonly #options: FollowerOptions;
  readonly #offsets: ReturnType<typeof openOffsets>;
  readonly #inTurn = createTurns();
  #place: OffsetRecord = { offset: 0 };
  /** The offset in the records. */
  #kept = 0;
  /** The offset that the log knows. */
  #told = 0;
  #isBegun = false;
  /** What is handled now. */
  #read: readonly StoredEvent[] = [];

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#offsets = openOffsets(options.records);
  }

  /** Up to where events count. */
  get offset(): number {
    return this.#place.offset;
  }

  /** Finds where the process before has ended. The log is asked first when there is something to read: it may be away now. */
  async open(): Promise<void> {
    const stored = await this.#offsets.get(this.#options.consumer);
    this.#setPlace(stored?.value ?? { offset: 0 });
  }

  /** Commits what events up to an offset change, together with the offset; `then` runs once that is on the disk. */
  async commit(
    offset: number,
    { operations, then }: { operations: readonly RecordOperation[]; then?: () => void },
  ): Promise<void> {
    if (offset === this.#place.offset) return;
    if (operations.length === 0 && offset - this.#kept < unkeptMax) {
      this.#place = this.#placeAt(offset);
      then?.();
      return;
    }
    const { records } = this.#options;
    await this.#keep(this.#placeAt(offset), async (kept) => {
      await records.commit([...operations, kept]);
      then?.();
    });
  }

  /** The same where events change what is committed otherwise: `write` has to put what it is given into that commit, of the same store. */
  async commitBy(offset: number, write: (kept: RecordOperation) => Promise<unknown>): Promise<void> {
    if (offset !== this.#place.offset) await this.#keep(this.#placeAt(offset), write);
  }

  /** Follows the log until the signal. What fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, events, log, what } = this.#options;
    while (!isAborted(signal)) {
      try {
        const id = await this.catchUp();
        await events.wait({ log: id, offset: this.#place.offset }, signal);
      } catch (error) {
        if (isAborted(signal)) return;
        log.error({ err: error }, `it failed that ${what}`);
        // Who was away may be back with another log.
        this.#isBegun = false;
        await clock.sleep(retryAfterMs, { signal }).catch(() => undefined);
      }
    }
  }

  /** Handles everything that is in the log now, and gives its id; callers take turns, or an event would count twice. */
  async catchUp(): Promise<string> {
    return await this.#inTurn(() => this.#readOn());
  }

  /** Begins anew where the log is another one, and makes its retention wait. */
  async #begin(): Promise<string> {
    if (this.#isBegun && this.#place.log !== undefined) return this.#place.log;
    const { clock, consumer, events, log, what } = this.#options;
    const end = await events.end();
    const { log: known = end.log, offset, countedToMs = 0 } = this.#place;
    if (known !== end.log || offset > end.offset) {
      log.warn(
        { stored: { log: known, offset }, now: end },
        `the event log is another one; from its beginning ${what}`,
      );
      // A clock that was ahead must not hide what comes from now on.
      const passedToMs = Math.min(countedToMs, clock.nowMs());
      this.#setPlace({ log: end.log, offset: 0, countedToMs, passedToMs });
      this.#options.onRestart?.();
      await this.#keep(this.#place);
    } else if (this.#place.log === undefined) await this.#keep({ ...this.#place, log: end.log });
    await events.commit(consumer, { log: end.log, offset: this.#place.offset });
    this.#isBegun = true;
    return end.log;
  }

  async #readOn(): Promise<string> {
    const { events, handle, log, what } = this.#options;
    const id = await this.#begin();
    for (;;) {
      const { offset, passedToMs = 0 } = this.#place;
      const read: StoredEvent[] = [];
      let next = offset;
      for (let pages = 0; pages < pagesAtOnce; pages++) {
        const page = await events.read({ log: id, offset: next });
        if (page.missed > 0) log.warn({ missed: page.missed }, `events were gone before ${what}`);
        if (page.next === next) break;
        read.push(...page.events);
        next = page.next;
      }
      if (next === offset) break;
      this.#read = passedToMs === 0 ? read : read.filter(({ timeMs }) => timeMs > passedToMs);
      await handle(this.#read, next);
      this.#read = [];
    }
    if (this.#kept !== this.#place.offset) await this.#keep(this.#place);
    await this.#tell();
    return id;
  }

  #setPlace(place: OffsetRecord): void {
    this.#place = place;
    this.#kept = this.#told = place.offset;
  }

  #placeAt(offset: number): OffsetRecord {
    return { ...this.#place, offset, ...this.#countedTo(offset) };
  }

  /** When the latest event was appended that counts with an offset. */
  #countedTo(offset: number): Pick<OffsetRecord, 'countedToMs'> {
    const { offset: after, countedToMs } = this.#place;
    let toMs = countedToMs ?? 0;
    for (const event of this.#read)
      if (event.offset > after && event.offset <= offset) toMs = Math.max(toMs, event.timeMs);
    return toMs === 0 ? {} : { countedToMs: toMs };
  }

  async #keep(
    place: OffsetRecord,
    write: (kept: RecordOperation) => Promise<unknown> = (kept) => this.#options.records.commit([kept]),
  ): Promise<void> {
    await write(this.#offsets.putOperation(this.#options.consumer, place));
    this.#place = place;
    this.#kept = place.offset;
    if (this.#kept - this.#told >= unkeptMax) await this.#tell();
  }

  /** Tells the log what it need not keep any more; what counts is in the records. */
  async #tell(): Promise<void> {
    const { consumer, events } = this.#options;
    const { log } = this.#place;
    if (log === undefined || this.#told === this.#kept) return;
    await events.commit(consumer, { log, offset: this.#kept });
    this.#told = this.#kept;
  }
}

/** Who learns from the log: told by a class of its own what events come to. */
export abstract class LogConsumer {
  protected readonly follower: LogFollower;

  constructor(options: Omit<FollowerOptions, 'handle' | 'onRestart'>) {
    this.follower = new LogFollower({
      ...options,
      handle: (events, next) => this.handle(events, next),
      onRestart: () => {
        this.onRestart();
      },
    });
  }

  /** Finds where the process before has ended. */
  open(): Promise<void> {
    return this.follower.open();
  }

  /** Follows the log until the signal. What fails is tried again. */
  run(signal: AbortSignal): Promise<void> {
    return this.follower.run(signal);
  }

  /** Handles everything that is in the log now. */
  async catchUp(): Promise<void> {
    await this.follower.catchUp();
  }

  /** As `FollowerOptions.onRestart`. */
  protected onRestart(): void {
    // Most remember nothing of offsets.
  }

  /** As `FollowerOptions.handle`, by the follower's `commit`. */
  protected abstract handle(events: readonly StoredEvent[], next: number): Promise<void>;
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

import type { StoredEvent } from '../../../common/adapters/events/port.ts';
import type { RecordOperation, Records } from '../../../common/adapters/records/port.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createTurns } from '../turns.ts';
import type { FollowedLog } from './ports.ts';
import { openOffsets, type OffsetRecord } from './records.ts';

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
    const place = { ...this.#place, offset, ...this.#countedTo(offset) };
    if (operations.length === 0 && offset - this.#kept < unkeptMax) {
      this.#place = place;
      then?.();
      return;
    }
    await this.#keep(place, operations, then);
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
      await this.#keep(this.#place, []);
    } else if (this.#place.log === undefined) await this.#keep({ ...this.#place, log: end.log }, []);
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
    if (this.#kept !== this.#place.offset) await this.#keep(this.#place, []);
    await this.#tell();
    return id;
  }

  #setPlace(place: OffsetRecord): void {
    this.#place = place;
    this.#kept = this.#told = place.offset;
  }

  /** When the latest event was appended that counts with an offset. */
  #countedTo(offset: number): Pick<OffsetRecord, 'countedToMs'> {
    const { offset: after, countedToMs } = this.#place;
    let toMs = countedToMs ?? 0;
    for (const event of this.#read)
      if (event.offset > after && event.offset <= offset) toMs = Math.max(toMs, event.timeMs);
    return toMs === 0 ? {} : { countedToMs: toMs };
  }

  async #keep(place: OffsetRecord, operations: readonly RecordOperation[], then?: () => void): Promise<void> {
    const { consumer, records } = this.#options;
    await records.commit([...operations, this.#offsets.putOperation(consumer, place)]);
    this.#place = place;
    this.#kept = place.offset;
    then?.();
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

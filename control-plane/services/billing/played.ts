import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { StoredEvent } from '../../../common/adapters/events/port.ts';
import { eventSchemas, type EventData } from '../../../common/contract/event-log.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { matches } from '../../../common/runtime/parse.ts';
import { LogFollower, openOffsets, type FollowedLog } from '../log-follower.ts';
import type { Batch } from './batch.ts';
import { addPlayed, nothingPlayed, secondsOf } from './core/played-seconds.ts';
import type { Desk } from './desk.ts';
import type { BillingRecords, PlayedRecord } from './records.ts';
import { playedMetric, type Told, type Usage } from './usage.ts';

/**
 * What sessions play, counted from the event log where a price has a meter for it (`playback-seconds`). The log names no viewer: whose a session is
 * is known here, from its beginning until nothing of it can come any more.
 */
export interface Played {
  /** Remembers whose a session is that begins, where what it plays is charged: on the disk when it resolves. */
  begin(session: string, account: string): Promise<void>;
  /** Forgets sessions of which nothing can come, and counts the rest of what they have played. */
  forget(): Promise<void>;
  /** Forgets whose the sessions of an account are: what they play is not counted. */
  erase(account: string): Promise<void>;
  /** The sessions of an account that it is known of whose they are, with what they have played. */
  of(account: string): Promise<{ session: string; begunMs: number; seconds: number }[]>;
  /** Counts everything that is in the log now, and forgets what is over: for tests. */
  catchUp(): Promise<void>;
  /** Follows the log until the signal, from the first session on that is charged. */
  run(signal: AbortSignal): Promise<void>;
}

interface PlayedOptions {
  readonly records: BillingRecords;
  readonly desk: Desk;
  readonly usage: Pick<Usage, 'endPeriods' | 'count'>;
  /** Events of the types below suffice. */
  readonly events: FollowedLog;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

/** Types of events by which it is counted. */
export const playedEvents = ['player'] as const;

const consumer = 'billing-usage';
/** An account's usage grows by so much at a time, and by less when a session ends. */
const toldS = 600;
/** A session that ends more often has its rest counted later: each part is a record. */
const endsMax = 200;
/** What comes meanwhile is counted in one commit. */
const gatherMs = 5000;
/** A delivery token lasts a day at most; an hour later all that it let in is in the log. */
const lifeMs = 25 * 3_600_000;
/** Where the log cannot be read for so long, nothing that is not counted yet will be. */
const keptMs = 9 * 86_400_000;
const pageLength = 500;

/** What a session has played, by one event. */
interface Playing {
  readonly session: string;
  /** When the log took it. */
  readonly loggedMs: number;
  readonly untilMs: number;
  readonly playedMs: number;
  readonly hasEnded: boolean;
}

/** A session with what has become of it. */
interface Change {
  readonly session: string;
  readonly record: PlayedRecord;
  /** So much has to be due for it to be told. */
  readonly leastS: number;
}

/** Sessions that begin, and their commit. */
interface NextBegun {
  readonly begun: Map<string, PlayedRecord>;
  readonly booked: Promise<void>;
}

/** Opens it. */
export function openPlayed(options: PlayedOptions): Played {
  return new CountedSessions(options);
}

class CountedSessions implements Played {
  readonly #options: PlayedOptions;
  readonly #follower: LogFollower;
  readonly #wanted = Promise.withResolvers<void>();
  #opened: Promise<void> | undefined;
  #next: NextBegun | undefined;

  constructor(options: PlayedOptions) {
    this.#options = options;
    const { records, clock, events, log } = options;
    this.#follower = new LogFollower({
      ...{ consumer, what: 'it is counted what is played', records: records.books, clock, log },
      events: {
        read: (after) => events.read(after),
        end: () => events.end(),
        commit: (name, place) => events.commit(name, place),
        wait: async (after, signal) => {
          // Everything that was in the log has been read.
          await this.#forgetBefore(clock.nowMs() - lifeMs);
          await clock.sleep(gatherMs, { signal });
          await events.wait(after, signal);
        },
      },
      handle: (read, next) => this.#handle(read, next),
    });
  }

  async begin(session: string, account: string): Promise<void> {
    const { clock, chance } = this.#options;
    if (!(await this.#isMetered(account))) return;
    // Not the session itself: usage is kept for longer than it is known whose a session is.
    const id = `played-${chance.bytes(8).toString('hex')}`;
    const begun = { account, id, begunMs: clock.nowMs(), counted: 0, told: 0, parts: 0 };
    const next = (this.#next ??= this.#bookNext());
    next.begun.set(session, { ...begun, ...nothingPlayed, ranges: [] });
    await next.booked;
    this.#wanted.resolve();
  }

  forget(): Promise<void> {
    return this.#forgetBefore(this.#options.clock.nowMs() - keptMs);
  }

  async erase(account: string): Promise<void> {
    const { desk, records } = this.#options;
    const own = await this.of(account);
    for (let from = 0; from < own.length; from += pageLength)
      await desk.book(async (batch) => {
        const some = own.slice(from, from + pageLength);
        batch.change(...some.map(({ session }) => records.played.removeOperation(session)));
      });
  }

  async of(account: string): ReturnType<Played['of']> {
    const own: Awaited<ReturnType<Played['of']>> = [];
    for await (const { key: session, value } of this.#options.records.played.all())
      if (value.account === account) own.push({ session, begunMs: value.begunMs, seconds: value.counted });
    return own;
  }

  async catchUp(): Promise<void> {
    await this.#open();
    await this.#follower.catchUp();
    await this.#forgetBefore(this.#options.clock.nowMs() - lifeMs);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#open();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => {
      resolve();
    });
    if (!signal.aborted) await Promise.race([this.#wanted.promise, over]);
    if (!signal.aborted) await this.#follower.run(signal);
  }

  /** All that begin until it is the turn of their commit are in it: starts wait for the disk together. */
  #bookNext(): NextBegun {
    const { desk, records } = this.#options;
    const begun = new Map<string, PlayedRecord>();
    const booked = desk.book(async (batch) => {
      await endOfTurn();
      this.#next = undefined;
      for (const [session, record] of begun)
        if ((await records.played.get(session)) === undefined)
          batch.change(records.played.putOperation(session, record));
    });
    return { begun, booked };
  }

  /** Where a process before has counted, this one goes on. */
  #open(): Promise<void> {
    return (this.#opened ??= (async () => {
      const { books, played } = this.#options.records;
      await this.#follower.open();
      const isBegun = (await openOffsets(books).get(consumer)) !== undefined;
      if (isBegun || (await played.scan({ limit: 1 })).length > 0) this.#wanted.resolve();
    })());
  }

  async #isMetered(account: string): Promise<boolean> {
    const { accounts, subscriptions } = this.#options.records;
    const id = (await accounts.get(account))?.value.subscription;
    const meters = id === undefined ? undefined : (await subscriptions.get(id))?.value.price.meters;
    return meters?.some(({ metric }) => metric === playedMetric) === true;
  }

  async #handle(read: readonly StoredEvent[], next: number): Promise<void> {
    const pages = Math.max(1, Math.ceil(read.length / pageLength));
    for (let page = 0; page < pages; page++) {
      const some = read.slice(page * pageLength, (page + 1) * pageLength);
      const until = page === pages - 1 ? next : (some.at(-1)?.offset ?? next);
      await this.#count(this.#playingsIn(some), until);
    }
  }

  #playingsIn(events: readonly StoredEvent[]): Playing[] {
    return events.flatMap(({ offset, type, timeMs, data }): Playing[] => {
      if (type !== 'player') return [];
      if (matches(eventSchemas.player, data)) return playingOf(data, timeMs);
      this.#options.log.error({ offset, type }, 'an event is not readable; it is passed over');
      return [];
    });
  }

  /** What was played, what an account has used by it, and up to where the log is read are one commit: each counts once. */
  async #count(playings: readonly Playing[], until: number): Promise<void> {
    const { desk, records } = this.#options;
    const bySession = Map.groupBy(playings, ({ session }) => session);
    const accounts = new Set<string>();
    for (const session of bySession.keys()) {
      const known = await records.played.get(session);
      if (known === undefined) bySession.delete(session);
      else accounts.add(known.value.account);
    }
    if (bySession.size === 0) {
      await this.#follower.commit(until, { operations: [] });
      return;
    }
    const stuck = await this.#options.usage.endPeriods(accounts);
    await this.#follower.commitBy(until, (kept) =>
      desk.book(async (batch) => {
        const changes: Change[] = [];
        for (const [session, some] of bySession) {
          const before = (await records.played.get(session))?.value;
          if (before === undefined) continue;
          const record = some.reduce(afterPlaying, before);
          const isLast = some.some(({ hasEnded }) => hasEnded) && record.parts < endsMax;
          changes.push({ session, record, leastS: isLast ? 1 : toldS });
        }
        const after = await this.#tell(batch, changes, stuck);
        for (const [session, record] of after) batch.change(records.played.putOperation(session, record));
        batch.change(kept);
      }),
    );
  }

  /** Counts sessions that began before then as usage, and forgets them; what cannot be counted now stays. Their ids begin with when they began. */
  async #forgetBefore(beforeMs: number): Promise<void> {
    const { desk, records, usage } = this.#options;
    const [first] = await records.played.scan({ limit: 1 });
    if (first === undefined || first.value.begunMs >= beforeMs) return;
    for (let after: string | undefined; ;) {
      const page = await records.played.scan({ after, limit: pageLength });
      const old = page.filter(({ value }) => value.begunMs < beforeMs);
      if (old.length === 0) return;
      const stuck = await usage.endPeriods(new Set(old.map(({ value }) => value.account)));
      await desk.book(async (batch) => {
        const changes: Change[] = [];
        for (const { key } of old) {
          const record = (await records.played.get(key))?.value;
          if (record !== undefined) changes.push({ session: key, record, leastS: 1 });
        }
        for (const [session, { counted, told }] of await this.#tell(batch, changes, stuck))
          if (counted === told) batch.change(records.played.removeOperation(session));
      });
      after = page.at(-1)?.key;
      if (page.length < pageLength) return;
    }
  }

  /** Adds what is due to a batch as usage; gives the records as they are then. */
  async #tell(
    batch: Batch,
    changes: readonly Change[],
    stuck: ReadonlySet<string>,
  ): Promise<Map<string, PlayedRecord>> {
    const { usage, clock, log } = this.#options;
    const after = new Map(changes.map(({ session, record }) => [session, record]));
    const due = new Map<Told, Change>();
    for (const change of changes) {
      const { account, id, parts, counted, told, sinceMs = 0 } = change.record;
      const quantity = counted - told;
      if (quantity < change.leastS) continue;
      const atMs = Math.min(sinceMs, clock.nowMs());
      due.set({ id: `${id}.${parts}`, account, metric: playedMetric, quantity, atMs }, change);
    }
    const refused = await usage.count(batch, [...due.keys()], { stuck, isOurs: true });
    for (const [one, { session, record }] of due) {
      const refusal = refused.get(one);
      // Told again with the next event, or at the end.
      if (refusal?.code === 'UNAVAILABLE') continue;
      if (refusal !== undefined) log.warn({ refusal }, 'what was played is not charged');
      const { sinceMs: _, ...rest } = record;
      after.set(session, { ...rest, told: record.counted, parts: record.parts + 1 });
    }
    return after;
  }
}

/** What an event of a session says was played; only a token proves that it is of one. */
function playingOf(
  { session, timeMs: untilMs, playedMs = 0, type }: EventData<'player'>,
  loggedMs: number,
): Playing[] {
  const hasEnded = type === 'end';
  return session === undefined || (playedMs === 0 && !hasEnded)
    ? []
    : [{ session, loggedMs, untilMs, playedMs, hasEnded }];
}

/** Never more than the time that the session has lasted, whatever its player tells. */
function afterPlaying(before: PlayedRecord, { loggedMs, untilMs, playedMs }: Playing): PlayedRecord {
  const seconds = addPlayed(before, { untilMs, playedMs });
  const lastedS = Math.max(0, Math.ceil((loggedMs - before.begunMs) / 1000));
  const counted = Math.max(before.counted, Math.min(secondsOf(seconds), lastedS));
  const playedFromMs = Math.max(before.begunMs, Math.min(untilMs - playedMs, loggedMs));
  // The earliest of what is not told: what was watched on trial is not charged.
  const sinceMs = counted > before.told ? (before.sinceMs ?? playedFromMs) : undefined;
  return {
    ...before,
    ...{ ...seconds, ranges: seconds.ranges.map(([fromS, toS]) => [fromS, toS]), counted },
    ...(sinceMs !== undefined && { sinceMs }),
  };
}

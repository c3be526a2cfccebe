import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createTurns } from '../turns.ts';
import { openSessionRecords, type SessionRecord, type SessionRecords } from './records.ts';

const dayMs = 86_400_000;
const daysKept = 400;
/** Sessions in one commit. */
const batchMax = 256;

interface Waiting {
  readonly session: SessionRecord;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Playback sessions in records, as many as may be and as long as they last. */
export class Sessions {
  readonly #records: Records;
  readonly #collections: SessionRecords;
  readonly #clock: Clock;
  readonly #sessionsMax: number;
  #count = 0;
  #day = 0;
  #today = 0;
  readonly #inTurn = createTurns();
  readonly #waiting: Waiting[] = [];
  #isWriting = false;

  private constructor(options: { records: Records; clock: Clock; sessionsMax: number }) {
    this.#records = options.records;
    this.#collections = openSessionRecords(options.records);
    this.#clock = options.clock;
    this.#sessionsMax = options.sessionsMax;
  }

  /** Counts the sessions that are kept and those of today. */
  static async open(options: { records: Records; clock: Clock; sessionsMax: number }): Promise<Sessions> {
    const sessions = new Sessions(options);
    for await (const _ of sessions.#collections.expiries.all()) sessions.#count++;
    sessions.#day = sessions.#dayNow();
    sessions.#today = (await sessions.#collections.days.get(dayKey(sessions.#day)))?.value.sessions ?? 0;
    return sessions;
  }

  /** How many sessions were made since midnight UTC. */
  today(): number {
    return this.#dayNow() === this.#day ? this.#today : 0;
  }

  /**
   * Keeps a new session, in one commit with all that come in the same turn of the event loop or while the commit before is under way. Errors: OVERLOADED when there are as many as
   * may be; those of the port.
   */
  async add(session: SessionRecord): Promise<void> {
    if (this.#count >= this.#sessionsMax) await this.prune();
    if (this.#count >= this.#sessionsMax) {
      const detail = `${this.#sessionsMax} sessions are under way, which is the configured most`;
      throw coded('OVERLOADED', { detail, retryAfterMs: 60_000 });
    }
    // Counted before it is kept: what waits is bounded by what may be kept.
    this.#count++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ session, resolve, reject });
    if (!this.#isWriting) void this.#write();
    await promise;
  }

  /** A session that has not ended; undefined when there is none. */
  async get(sessionId: string): Promise<SessionRecord | undefined> {
    const found = (await this.#collections.sessions.get(sessionId))?.value;
    return found === undefined || found.expiresAtMs <= this.#clock.nowMs() ? undefined : found;
  }

  /** Removes sessions that have ended. */
  async prune(): Promise<void> {
    await this.#inTurn(() => this.#prune());
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      await endOfTurn();
      const batch = this.#waiting.splice(0, batchMax);
      try {
        await this.#commit(batch.map(({ session }) => session));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#count -= batch.length;
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWriting = false;
  }

  async #commit(added: readonly SessionRecord[]): Promise<void> {
    const day = this.#dayNow();
    const today = (day === this.#day ? this.#today : 0) + added.length;
    const { sessions, expiries, days } = this.#collections;
    await this.#records.commit([
      ...added.flatMap((session) => [
        sessions.putOperation(session.sessionId, session, 0),
        expiries.putOperation(expiryKey(session), { sessionId: session.sessionId }),
      ]),
      days.putOperation(dayKey(day), { sessions: today }),
      ...(day === this.#day ? [] : [days.removeOperation(dayKey(day - daysKept))]),
    ]);
    this.#day = day;
    this.#today = today;
  }

  async #prune(): Promise<void> {
    const { sessions, expiries } = this.#collections;
    const until = expiryKey({ expiresAtMs: this.#clock.nowMs(), sessionId: '~' });
    for (;;) {
      const ended = (await expiries.scan({ limit: 500 })).filter(({ key }) => key < until);
      if (ended.length === 0) return;
      await this.#records.commit(
        ended.flatMap(({ key, value }) => [
          expiries.removeOperation(key),
          sessions.removeOperation(value.sessionId),
        ]),
      );
      this.#count -= ended.length;
    }
  }

  #dayNow(): number {
    return Math.floor(this.#clock.nowMs() / dayMs);
  }
}

/** Sorts as time does. */
function expiryKey({ expiresAtMs, sessionId }: { expiresAtMs: number; sessionId: string }): string {
  return `${String(expiresAtMs).padStart(16, '0')}-${sessionId}`;
}

function dayKey(day: number): string {
  return String(day).padStart(8, '0');
}

import type { RecordOperation } from '../../../common/adapters/records/port.ts';
import type { EventData } from '../../../common/contract/event-log.ts';
import { SessionBook, type BookChange, type ExpectedSessions } from '../../core/session-book.ts';
import type { Belief } from '../../core/viewings.ts';
import { keyOf, placeOf } from './popularity-weights.ts';
import type { BeliefRecord, PopularityRecords } from './records.ts';

// What was learned longer ago is as good as nothing.
const forgetAfterMs = 14 * 86_400_000;
// A name that no site can have.
const everywhereKey = '*';

/** Which titles sessions are of, and what of that is not in the records yet. */
export class LearnedSessions {
  readonly #records: PopularityRecords;
  readonly #book: SessionBook;
  #offset = 0;
  #unsaved = new Map<string, RecordOperation>();

  constructor(records: PopularityRecords, { beliefsMax }: { beliefsMax: number }) {
    this.#records = records;
    this.#book = new SessionBook({ beliefsMax });
  }

  /** Changes that wait to be saved. */
  get unsavedCount(): number {
    return this.#unsaved.size;
  }

  /** Reads what earlier processes have learned, up to an offset of the log, and forgets what is old. */
  async open(offset: number, nowMs: number): Promise<void> {
    const { beliefs, sessionPlaces } = this.#records;
    this.#offset = offset;
    for await (const { key, value } of sessionPlaces.all())
      this.#book.restorePlace(key === everywhereKey ? '' : key, value);
    for await (const { key, value } of beliefs.all()) {
      const { site, file } = placeOf(key);
      if (nowMs - value.atMs > forgetAfterMs) await beliefs.remove(key);
      else this.#book.restoreBelief(site, file, beliefOf(value));
    }
  }

  /** Learns from a log that begins anew. */
  restart(): void {
    this.#offset = 0;
  }

  /** Learns from an event of the log, once. */
  learn(session: EventData<'session'>, { offset, timeMs }: { offset: number; timeMs: number }): void {
    if (offset <= this.#offset) return;
    this.#offset = offset;
    for (const change of this.#book.begin({ site: undefined, ...session, atMs: timeMs })) this.#note(change);
  }

  /** What has changed since it was last saved: to be committed together with the offset. */
  unsaved(): { operations: RecordOperation[]; saved: () => void } {
    const taken = this.#unsaved;
    return {
      operations: [...taken.values()],
      saved: () => {
        for (const [key, operation] of taken)
          if (this.#unsaved.get(key) === operation) this.#unsaved.delete(key);
      },
    };
  }

  /** What a site's viewers want; undefined as long as none of their sessions is known. */
  at(site: string, nowMs: number): ExpectedSessions | undefined {
    return this.#book.at(site, nowMs);
  }

  #note({ place, sessions, bundle, belief }: BookChange): void {
    const { beliefs, sessionPlaces } = this.#records;
    const name = place === '' ? everywhereKey : place;
    this.#unsaved.set(`place ${name}`, sessionPlaces.putOperation(name, sessions));
    if (belief === undefined) return;
    const key = keyOf({ site: place, file: bundle });
    this.#unsaved.set(key, beliefs.putOperation(key, recordOf(belief)));
  }
}

// A chance needs no more, and a record is shorter.
const digits = 6;

function recordOf({ chances, atMs, sessions }: Belief): BeliefRecord {
  return { chances: Array.from(chances, (chance) => Number(chance.toPrecision(digits))), atMs, sessions };
}

function beliefOf({ chances, atMs, sessions }: BeliefRecord): Belief {
  return { chances: Float64Array.from(chances), atMs, sessions };
}

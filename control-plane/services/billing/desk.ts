import { createHash } from 'node:crypto';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createTurns } from '../turns.ts';
import { Batch } from './batch.ts';
import { ordered, type BillingRecords } from './records.ts';

/** A request that is to be done once, however often it comes. */
export interface Ask {
  /** Who asks: keys of different callers are different. */
  readonly caller: string;
  readonly key: string;
  /** Method, path and body. */
  readonly request: unknown;
}

/** Where everything of billing is booked, one after the other. */
export interface Desk {
  /** Decides, then books what was decided in one commit, and gives what the decision said. */
  book<T>(decide: (batch: Batch) => Promise<T>): Promise<T>;
  /**
   * The same once for a key: its answer is booked with what it did, and given again to whoever asks the same again. What was refused may be
   * asked again. Errors beside those of `decide`: IDEMPOTENCY_KEY_REUSED for another request by the same key.
   */
  once<T extends object>(ask: Ask, decide: (batch: Batch) => Promise<T>): Promise<T>;
  /** Reads while nothing is booked. */
  read<T>(read: () => Promise<T>): Promise<T>;
  /** Decides and books nothing; gives what would have been owed, as of when. */
  quote(decide: (batch: Batch) => Promise<unknown>): Promise<{ owed: number; atMs: number }>;
  /** Forgets answers that are older than a week, a thousand at most. */
  forgetAnswers(): Promise<void>;
}

const answersKeptMs = 7 * 86_400_000;
const forgottenMax = 1000;

/** Opens the desk; `booked` hears after each commit. */
export function openDesk(options: {
  records: BillingRecords;
  clock: Clock;
  /** Adds to a batch what goes out with what it tells. */
  enclose: (batch: Batch) => Promise<void>;
  booked: (accounts: ReadonlySet<string>) => void;
}): Desk {
  const { records, clock, enclose, booked } = options;
  const { books, idempotency, idempotencyTimes } = records;
  const inTurn = createTurns();
  const bookNow = async <T>(decide: (batch: Batch) => Promise<T>): Promise<T> => {
    const batch = new Batch(books);
    const said = await decide(batch);
    await enclose(batch);
    await batch.book();
    booked(batch.touched);
    return said;
  };
  return {
    book: (decide) => inTurn(() => bookNow(decide)),
    once: <T extends object>(ask: Ask, decide: (batch: Batch) => Promise<T>): Promise<T> =>
      inTurn(async () => {
        const key = hashOf([ask.caller, ask.key]);
        const request = hashOf(ask.request);
        const known = (await idempotency.get(key))?.value;
        if (known !== undefined && known.request !== request)
          throw coded('IDEMPOTENCY_KEY_REUSED', 'take a new key for each new request');
        // Written below, as what `decide` gave.
        if (known !== undefined) return known.reply as T;
        return bookNow(async (batch) => {
          const reply = await decide(batch);
          const atMs = clock.nowMs();
          batch.change(
            idempotency.putOperation(key, { request, reply, atMs }),
            idempotencyTimes.putOperation(`${ordered(atMs)}:${key}`, { id: key }),
          );
          return reply;
        });
      }),
    read: (read) => inTurn(read),
    quote: (decide) =>
      inTurn(async () => {
        const [batch, atMs] = [new Batch(books), clock.nowMs()];
        await decide(batch);
        return { owed: batch.owed, atMs };
      }),
    forgetAnswers: () =>
      inTurn(async () => {
        const old = (await idempotencyTimes.scan({ limit: forgottenMax })).filter(
          ({ key }) => Number(key.slice(0, 16)) < clock.nowMs() - answersKeptMs,
        );
        if (old.length === 0) return;
        await books.commit(
          old.flatMap(({ key, value }) => [
            idempotencyTimes.removeOperation(key),
            idempotency.removeOperation(value.id),
          ]),
        );
      }),
  };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}

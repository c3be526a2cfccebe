import fc from 'fast-check';
import type t from 'tap';
import { consumeEvents } from '../../common/adapters/events/consume.ts';
import type { Events, NewEvent, StoredEvent } from '../../common/adapters/events/port.ts';

type Test = Pick<typeof t, 'test'>;
type Teardown = Pick<typeof t, 'teardown'>;

/** An event that carries a number. */
export function numbered(n: number, extra: object = {}): NewEvent {
  return { type: 'test', timeMs: n, data: { n, ...extra } };
}

/** All events after an offset, page by page; what is gone is counted. */
export async function readAll(events: Events, after = 0): Promise<{ events: StoredEvent[]; missed: number }> {
  const all: StoredEvent[] = [];
  let missed = 0;
  for (;;) {
    const page = await events.read(after);
    if (page.next === after) return { events: all, missed };
    all.push(...page.events);
    missed += page.missed;
    after = page.next;
  }
}

/** The behaviour that every engine of the events port has. `openStore` gives an empty one. */
export function eventsConformance(t: Test, openStore: () => Promise<Events>): void {
  const open = async (t: Teardown): Promise<Events> => {
    const store = await openStore();
    t.teardown(() => store.close());
    return store;
  };

  t.test('what is appended is read in order, with offsets from 1', async (t) => {
    const events = await open(t);
    t.strictSame(await events.status(), {
      ...(await events.status()),
      firstOffset: 1,
      lastOffset: 0,
      consumers: [],
    });
    t.strictSame(await events.read(0), { events: [], next: 0, missed: 0 });
    t.strictSame(
      await events.append([{ id: 'x', type: 'a', timeMs: 5, data: { text: 'ä😀' } }, numbered(2)]),
      [1, 2],
    );
    t.strictSame(await events.append([numbered(3)]), [3]);
    t.strictSame(await events.append([]), []);
    const page = await events.read(0, { limit: 2 });
    t.strictSame(page, {
      events: [
        { offset: 1, id: 'x', type: 'a', timeMs: 5, data: { text: 'ä😀' } },
        { offset: 2, type: 'test', timeMs: 2, data: { n: 2 } },
      ],
      next: 2,
      missed: 0,
    });
    t.strictSame(
      (await events.read(2)).events.map((event) => event.offset),
      [3],
    );
    t.strictSame(await events.read(3), { events: [], next: 3, missed: 0 });
    t.strictSame(await events.read(99), { events: [], next: 99, missed: 0 }, 'beyond the end');
    await t.rejects(events.read(-1), { code: 'INVALID' });
  });

  t.test('appends at once each keep their batch together', async (t) => {
    const events = await open(t);
    const batches = Array.from({ length: 200 }, (_, b) => [numbered(b), numbered(b), numbered(b)]);
    const offsets = await Promise.all(batches.map((batch) => events.append(batch)));
    const { events: all } = await readAll(events);
    t.equal(all.length, 600);
    for (const [b, [first = 0, second, third]] of offsets.entries()) {
      t.strictSame([second, third], [first + 1, first + 2]);
      t.same(
        all.slice(first - 1, first + 2).map((event) => event.data),
        [{ n: b }, { n: b }, { n: b }],
      );
    }
  });

  t.test('any batches come back as they went in, from any offset', async (t) => {
    const data = fc.dictionary(fc.string(), fc.jsonValue());
    const event = fc.record({ type: fc.string(), timeMs: fc.nat(), data });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(event, { maxLength: 4 }), { maxLength: 8 }),
        fc.nat({ max: 40 }),
        async (batches, after) => {
          const events = await open(t);
          for (const batch of batches) await events.append(batch);
          const expected = batches.flat().map((one, index) => ({ offset: index + 1, ...one }));
          const found = await readAll(events, after);
          t.strictSame(found.events, JSON.parse(JSON.stringify(expected.slice(after))));
          await events.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  t.test('bounds are refused', async (t) => {
    const events = await open(t);
    await t.rejects(events.append(Array.from({ length: 1001 }, (_, n) => numbered(n))), {
      code: 'VALUE_TOO_LARGE',
    });
    await t.rejects(events.append([numbered(1), numbered(2, { text: 'x'.repeat(70_000) })]), {
      code: 'VALUE_TOO_LARGE',
    });
    t.equal((await events.status()).lastOffset, 0, 'nothing of the batch');
    for (const name of ['', 'A', '../x', 'x'.repeat(64)]) {
      await t.rejects(events.commit(name, 0), { code: 'KEY_INVALID' });
      await t.rejects(events.committed(name), { code: 'KEY_INVALID' });
    }
    await t.rejects(events.commit('reader', 1), { code: 'INVALID' }, 'an event that is not there');
  });

  t.test('consumers keep their own places', async (t) => {
    const events = await open(t);
    await events.append([numbered(1), numbered(2)]);
    t.equal(await events.committed('a'), undefined);
    await events.commit('a', 2);
    await events.commit('b', 1);
    t.equal(await events.committed('a'), 2);
    t.equal(await events.committed('b'), 1);
    t.strictSame(
      (await events.status()).consumers.toSorted((x, y) => (x.name < y.name ? -1 : 1)),
      [
        { name: 'a', offset: 2 },
        { name: 'b', offset: 1 },
      ],
    );
    await events.forget('a');
    t.equal(await events.committed('a'), undefined);
    await events.forget('never-there');
    for (let n = 0; n < 63; n += 1) await events.commit(`c${String(n)}`, 0);
    await t.rejects(events.commit('one-more', 0), { code: 'OVERLOADED' });
  });

  t.test('a wait ends with the next event or by its signal', async (t) => {
    const events = await open(t);
    const never = new AbortController().signal;
    const waiting = events.wait(0, never);
    await events.append([numbered(1)]);
    await waiting;
    await events.wait(0, never);
    const stop = new AbortController();
    const stopped = events.wait(1, stop.signal);
    stop.abort();
    await t.rejects(stopped, { code: 'ABORTED' });
    await t.rejects(events.wait(1, AbortSignal.abort()), { code: 'ABORTED' });
  });

  t.test('a consumer that failed goes on where it had committed', async (t) => {
    const events = await open(t);
    await events.append(Array.from({ length: 25 }, (_, n) => numbered(n)));
    const seen: number[] = [];
    const stop = new AbortController();
    const options = {
      consumer: 'reader',
      signal: stop.signal,
      limit: 10,
      handle(page: readonly StoredEvent[]): Promise<void> {
        if (seen.length === 10) {
          seen.push(0);
          return Promise.reject(new Error('handling failed'));
        }
        seen.push(...page.map((event) => event.offset));
        if (seen.at(-1) === 26) stop.abort();
        return Promise.resolve();
      },
    };
    await t.rejects(consumeEvents(events, options), { message: 'handling failed' });
    t.equal(await events.committed('reader'), 10);
    const consuming = consumeEvents(events, options);
    await events.append([numbered(26)]);
    await consuming;
    t.strictSame(
      seen.filter((offset) => offset > 0),
      Array.from({ length: 26 }, (_, index) => index + 1),
    );
    t.equal(await events.committed('reader'), 26);
  });
}

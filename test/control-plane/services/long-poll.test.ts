import t from 'tap';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createDebounced } from '../../../control-plane/services/debounce.ts';
import { createWaiters } from '../../../control-plane/services/long-poll.ts';

t.test('a wait ends by waking its key, by time, or with its caller', async (t) => {
  const clock = createManualClock();
  const waiters = createWaiters({ clock, waitersMax: 10 });
  const ended: string[] = [];
  const wait = (key: string, signal?: AbortSignal) =>
    waiters.wait(key, { waitMs: 1000, signal }).then(() => ended.push(key));
  const gone = new AbortController();
  const all = [wait('a'), wait('b'), wait('c', gone.signal)];
  waiters.wake('a');
  await all[0];
  t.strictSame(ended, ['a']);
  gone.abort();
  await all[2];
  t.strictSame(ended, ['a', 'c']);
  await clock.advance(1000);
  await all[1];
  t.strictSame(ended, ['a', 'c', 'b']);
  t.equal(clock.sleeping(), 0, 'nothing is left behind');
  await waiters.wait('a', { waitMs: 0 });
});

t.test('polls are bounded', async (t) => {
  const waiters = createWaiters({ clock: createManualClock(), waitersMax: 1 });
  const first = waiters.wait('a', { waitMs: 1000 });
  await t.rejects(waiters.wait('b', { waitMs: 1000 }), { code: 'OVERLOADED' });
  waiters.wakeAll();
  await first;
  const again = waiters.wait('b', { waitMs: 1000 });
  waiters.wakeAll();
  await again;
});

t.test('debounced work runs once for many changes, again for later ones, never twice at once', async (t) => {
  const clock = createManualClock();
  let running = 0;
  let runs = 0;
  const errors: unknown[] = [];
  const work = createDebounced({
    clock,
    delayMs: 100,
    onError: (error) => errors.push(error),
    run: async () => {
      running++;
      t.equal(running, 1);
      await clock.sleep(50);
      running--;
      runs++;
      if (runs === 2) throw new Error('once');
    },
  });
  work.request();
  work.request();
  await clock.advance(120);
  work.request();
  await clock.advance(30);
  t.equal(runs, 1);
  await clock.advance(150);
  t.equal(runs, 2);
  t.equal(errors.length, 1, 'a failure is told');
  work.request();
  await clock.advance(150);
  t.equal(runs, 3, 'and does not end the work');
  work.request();
  await work.stop();
  await clock.advance(1000);
  t.equal(runs, 3);
});

t.test('debounced work hears of a change whenever it comes, just as a run ends too', async (t) => {
  for (let steps = 0; steps < 12; steps++) {
    const clock = createManualClock();
    let runs = 0;
    const work = createDebounced({
      clock,
      delayMs: 10,
      run: async () => {
        runs++;
        if (runs > 1) return;
        let later = Promise.resolve();
        for (let step = 0; step < steps; step++) later = later.then(() => undefined);
        void later.then(() => {
          work.request();
        });
      },
      onError: (error) => {
        throw error;
      },
    });
    work.request();
    await clock.advance(10);
    await clock.advance(10);
    t.equal(runs, 2, `${String(steps)} steps later`);
    await work.stop();
    work.request();
    await work.flush();
    t.equal(runs, 2, 'none after the stop');
  }
});

import { t } from 'tap';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';

t.test('the system clock sleeps and is woken early by its signal', async (t) => {
  const clock = createSystemClock();
  const startMs = clock.monotonicMs();
  await clock.sleep(5);
  t.ok(clock.monotonicMs() - startMs >= 4);
  const reason = new Error('enough');
  const controller = new AbortController();
  const sleep = clock.sleep(2 ** 40, { signal: controller.signal });
  controller.abort(reason);
  await t.rejects(sleep, reason);
  await t.rejects(clock.sleep(1, { signal: controller.signal }), reason);
});

t.test('a manual clock wakes sleepers in order, those that they start included', async (t) => {
  const clock = createManualClock({ nowMs: 1000 });
  const woken: string[] = [];
  const repeat = async (name: string, everyMs: number): Promise<void> => {
    for (let turn = 0; turn < 2; turn++) {
      await clock.sleep(everyMs);
      woken.push(`${name}@${clock.monotonicMs()}`);
    }
  };
  const both = Promise.all([repeat('a', 30), repeat('b', 20)]);
  await clock.advance(100);
  await both;
  t.same(woken, ['b@20', 'a@30', 'b@40', 'a@60']);
  t.equal(clock.nowMs(), 1100);
  clock.jumpWall(-500);
  t.equal(clock.nowMs(), 600);
  t.equal(clock.monotonicMs(), 100);
});

t.test('a sleeper that is aborted leaves the manual clock', async (t) => {
  const clock = createManualClock();
  const controller = new AbortController();
  const sleep = clock.sleep(10, { signal: controller.signal });
  t.equal(clock.sleeping(), 1);
  controller.abort();
  await t.rejects(sleep, { name: 'AbortError' });
  t.equal(clock.sleeping(), 0);
});

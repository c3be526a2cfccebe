import { t } from 'tap';
import { coded } from '../../../common/runtime/errors.ts';
import { createLifecycle, type Component } from '../../../common/runtime/lifecycle.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';

const log = createSilentLog();

function recorded(events: string[], name: string, extra: Partial<Component> = {}): Component {
  const note = (what: string) => () => {
    events.push(`${what} ${name}`);
  };
  return { name, start: note('start'), drain: note('drain'), stop: note('stop'), ...extra };
}

t.test('starts in order, drains, stops in reverse, once', async (t) => {
  const events: string[] = [];
  const components = [recorded(events, 'a'), recorded(events, 'b')];
  const lifecycle = createLifecycle({ components, log, clock: createManualClock() });
  await lifecycle.start();
  await Promise.all([lifecycle.stop(), lifecycle.stop()]);
  t.same(events, ['start a', 'start b', 'drain a', 'drain b', 'stop b', 'stop a']);
});

t.test('a failed start stops what had started and keeps its code', async (t) => {
  const events: string[] = [];
  const failing = recorded(events, 'b', {
    start: () => {
      throw coded('ADDRESS_IN_USE', 'x');
    },
  });
  const components = [recorded(events, 'a'), failing, recorded(events, 'c')];
  const lifecycle = createLifecycle({ components, log, clock: createManualClock() });
  await t.rejects(lifecycle.start(), { code: 'ADDRESS_IN_USE' });
  t.same(events, ['start a', 'drain a', 'drain b', 'stop b', 'stop a']);
});

t.test('each phase has its deadline; one that hangs does not hold the others', async (t) => {
  const events: string[] = [];
  const clock = createManualClock();
  const hang = () => new Promise<void>(() => undefined);
  const components = [
    recorded(events, 'a'),
    recorded(events, 'b', { drain: hang, stop: hang, drainTimeoutMs: 100, stopTimeoutMs: 50 }),
  ];
  const lifecycle = createLifecycle({ components, log, clock });
  await lifecycle.start();
  const stopped = lifecycle.stop();
  await clock.advance(149);
  t.notOk(events.includes('stop a'));
  await clock.advance(1);
  await stopped;
  t.ok(events.includes('stop a'));
  const slow = createLifecycle({
    components: [{ name: 'slow', start: hang, startTimeoutMs: 10 }],
    log,
    clock,
  });
  const started = slow.start();
  await Promise.all([
    t.rejects(started, { code: 'TIMEOUT', message: /slow did not start within 10 ms/ }),
    clock.advance(10),
  ]);
});

t.test('a crash is told once; the signal ends with the stop', async (t) => {
  let context: Parameters<NonNullable<Component['start']>>[0] | undefined;
  const component: Component = {
    name: 'a',
    start: (given) => {
      context = given;
    },
  };
  const lifecycle = createLifecycle({ components: [component], log, clock: createManualClock() });
  await lifecycle.start();
  const error = new Error('broke');
  context?.crash(error);
  t.equal(await lifecycle.crashed, error);
  t.notOk(context?.signal.aborted);
  await lifecycle.stop();
  t.ok(context?.signal.aborted);
});

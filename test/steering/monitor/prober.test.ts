import t from 'tap';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { calm, flapPolicyDefault, type FlapState } from '../../../steering/core/flap.ts';
import type { Family, Observation, Verdict } from '../../../steering/core/health.ts';
import type { Aim } from '../../../steering/monitor/http-probe.ts';
import { createProber, type ProberOptions, type Target } from '../../../steering/monitor/prober.ts';

const good: Observation = { kind: 'ok', draining: false, probeMs: 1 };
const bad: Observation = { kind: 'failed', reason: 'made to fail' };

const box = (
  id: string,
  by: Partial<Record<Family, string>> = { 4: '192.0.2.1' },
  url = `http://${id}`,
): Target => ({
  id,
  url,
  addresses: { 4: by[4] === undefined ? [] : [by[4]], 6: by[6] === undefined ? [] : [by[6]] },
});

function start(ask: (aim: Aim) => Observation | Promise<Observation>, more: Partial<ProberOptions> = {}) {
  const clock = createManualClock();
  const asked: Aim[] = [];
  let open = 0;
  let changes = 0;
  const prober = createProber({
    clock,
    openProbe: (aim) => {
      open++;
      return {
        ask: async () => {
          asked.push(aim);
          return ask(aim);
        },
        close: () => {
          open--;
        },
      };
    },
    policy: { downAfter: 2, upAfter: 2 },
    flap: flapPolicyDefault,
    flaps: { recall: () => calm, note: () => undefined },
    intervalMs: 1000,
    recheckMs: 200,
    probesMax: 64,
    probesPerSecondMax: 500,
    onChange: () => changes++,
    ...more,
  });
  const verdicts = (): Record<string, Verdict[]> =>
    Object.fromEntries(
      prober.evidence().map(({ id, probes }) => [id, [...probes.values()].map(({ verdict }) => verdict)]),
    );
  return { clock, prober, asked, verdicts, open: () => open, changes: () => changes };
}

t.test('a box that dies is out after two failures, and back after two good answers', async (t) => {
  let isAlive = true;
  const { clock, prober, verdicts, changes } = start(({ id }) => (id === 'b' || isAlive ? good : bad));
  t.teardown(() => prober.stop());
  prober.watch([box('a'), box('b')]);
  t.strictSame(verdicts(), { a: ['unknown'], b: ['unknown'] });
  await clock.advance(1);
  t.strictSame(verdicts(), { a: ['up'], b: ['up'] });
  isAlive = false;
  await clock.advance(2000);
  t.strictSame(verdicts(), { a: ['down'], b: ['up'] });
  isAlive = true;
  await clock.advance(2000);
  t.strictSame(verdicts(), { a: ['up'], b: ['up'] });
  t.equal(changes(), 4);
});

t.test(
  'each family is asked apart, by its address; a box known by name alone is looked up in both',
  async (t) => {
    const { clock, prober, verdicts, asked } = start(({ family }) => (family === 4 ? good : bad));
    t.teardown(() => prober.stop());
    prober.watch([
      box('a', { 4: '192.0.2.1', 6: '2001:db8::1' }),
      box('b', { 6: '2001:db8::2' }),
      box('c', {}),
    ]);
    await clock.advance(3000);
    t.strictSame(verdicts(), { a: ['up', 'down'], b: ['down'], c: ['up', 'down'] });
    const aims = new Set(asked.map(({ id, family, address }) => `${id} ${family} ${address ?? '-'}`));
    const wanted = ['a 4 192.0.2.1', 'a 6 2001:db8::1', 'b 6 2001:db8::2', 'c 4 -', 'c 6 -'];
    t.strictSame([...aims].sort(), wanted);
  },
);

t.test('after a doubt the box is probed at once, and one failure decides', async (t) => {
  let isAlive = true;
  const { clock, prober, verdicts, asked } = start(() => (isAlive ? good : bad));
  t.teardown(() => prober.stop());
  prober.watch([box('a')]);
  await clock.advance(10);
  const before = asked.length;
  prober.doubt('a');
  await clock.advance(1);
  t.equal(asked.length, before + 1, 'asked at once');
  t.strictSame(verdicts(), { a: ['up'] }, 'a doubt alone turns nothing');
  isAlive = false;
  prober.doubt('a');
  await clock.advance(1);
  t.strictSame(verdicts(), { a: ['down'] });
  prober.doubt('nobody');
});

t.test('a box that flaps is suppressed for a while', async (t) => {
  let isAlive = true;
  const { clock, prober } = start(() => (isAlive ? good : bad));
  t.teardown(() => prober.stop());
  prober.watch([box('a')]);
  const suppressed = (): boolean => prober.evidence()[0]?.suppressed.has(4) === true;
  for (let turn = 0; turn < 3; turn++) {
    isAlive = true;
    await clock.advance(3000);
    isAlive = false;
    await clock.advance(3000);
  }
  isAlive = true;
  await clock.advance(10_000);
  t.ok(suppressed(), 'although it answers');
  await clock.advance(180_000);
  t.notOk(suppressed());
});

t.test('a prober goes on from how a box flapped before, and tells of each loss', async (t) => {
  let left: FlapState = { penalty: 2000, atMs: 0, suppressed: false };
  let isAlive = true;
  const flaps = {
    recall: () => left,
    note: (_aim: Aim, state: FlapState) => (left = state),
  };
  const { clock, prober } = start(() => (isAlive ? good : bad), { flaps });
  t.teardown(() => prober.stop());
  prober.watch([box('a')]);
  await clock.advance(10);
  isAlive = false;
  await clock.advance(3000);
  t.strictSame([...(prober.evidence()[0]?.suppressed ?? [])], [4], 'the third loss in a short time');
  t.ok(left.suppressed);
});

t.test(
  'never more probes at once or in a second than allowed; who is not watched is forgotten',
  async (t) => {
    let running = 0;
    let most = 0;
    const limits = { probesMax: 3, probesPerSecondMax: 10 };
    const { clock, prober, verdicts, asked, open } = start(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return good;
    }, limits);
    prober.watch(Array.from({ length: 20 }, (_, at) => box(`n${at}`)));
    for (let turn = 0; turn < 20; turn++) await clock.advance(1000);
    t.equal(most, 3);
    t.ok(asked.length <= 20 + 10 * 20, `${asked.length} probes in 20 s of 20 boxes`);
    t.ok(Object.values(verdicts()).every(([verdict]) => verdict === 'up'));
    prober.watch([box('n1'), box('n2', { 4: '192.0.2.9' })]);
    t.strictSame(verdicts(), { n1: ['up'], n2: ['unknown'] }, 'who has moved is new');
    await clock.advance(1);
    t.equal(open(), 2);
    await prober.stop();
    t.strictSame([verdicts(), open()], [{}, 0]);
  },
);

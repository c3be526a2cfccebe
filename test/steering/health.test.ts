import t from 'tap';
import { openWay } from '../support/cuttable-way.ts';
import { answered, healthOf, startHealthWorld, untilLeft, untilWell } from '../support/health-world.ts';
import { until } from '../support/steering-process.ts';
import { hasIpv6Loopback } from '../support/system-ipv6.ts';

// Processes of their own take their time beside other tests.
t.setTimeout(300_000);

const at = (address: string): string[] => ['--host', address];

/** A connection that was kept ends, a new one is refused. */
const diedAs = /ECONN|no whole answer/;

t.test('a box that is killed leaves the answers by the end of its stream, with its reason', async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  const [a] = [
    await world.startBox('a', { more: at('127.0.0.2') }),
    await world.startBox('b', { more: at('127.0.0.3') }),
  ];
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['a', 'b']);
  await until('both in the answer', async () => (await answered(steering)).length === 2);
  t.match((await healthOf(plane, steering, 'a')).said, { state: 'ready', disks: { serving: 1, all: 1 } });
  const startedMs = performance.now();
  await a.kill('SIGKILL');
  t.comment(
    `from SIGKILL to the first answer without it: ${await untilLeft(steering, '127.0.0.2', startedMs)} ms`,
  );
  t.match(await healthOf(plane, steering, 'a'), {
    ...{ verdict: 'down', v4: 'down', stream: 'none', reason: diedAs },
    ...{ votes: [{ node: 'steering-1', v4: 'down' }] },
    history: [
      { from: 'unknown', to: 'up' },
      { from: 'up', to: 'down', reason: diedAs },
    ],
  });
});

t.test('a box that stands still leaves the answers, and comes back with its stream', async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  const a = await world.startBox('a', { more: at('127.0.0.2') });
  await world.startBox('b', { more: at('127.0.0.3') });
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['a', 'b']);
  process.kill(a.pid, 'SIGSTOP');
  const startedMs = performance.now();
  t.comment(
    `from SIGSTOP to the first answer without it: ${await untilLeft(steering, '127.0.0.2', startedMs)} ms`,
  );
  await until('its silence', async () => (await healthOf(plane, steering, 'a')).stream !== 'live');
  t.match(await healthOf(plane, steering, 'a'), { verdict: 'down', reason: /no answer within/ });
  process.kill(a.pid, 'SIGCONT');
  await untilWell(plane, [steering], ['a', 'b']);
  await until('both in the answer', async () => (await answered(steering)).length === 2);
});

t.test('a drain is known at once, without the control plane', async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  const a = await world.startBox('a', { more: [...at('127.0.0.2'), '--drain-ms', '5000'] });
  await world.startBox('b', { more: at('127.0.0.3') });
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['a', 'b']);
  await plane.stop();
  void a.kill('SIGTERM');
  await until('the drain', async () => !(await answered(steering)).includes('127.0.0.2'));
  t.strictSame(await answered(steering), ['127.0.0.3']);
});

const noSix = hasIpv6Loopback() ? false : 'this machine has no IPv6 loopback';

t.test('dead over IPv6 alone, it gets no IPv6 viewers and keeps IPv4', { skip: noSix }, async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  // Its IPv6 is a way of its own, which can be closed while the box lives.
  const both = (four: string, six: string): string[] => [
    ...at(four),
    ...['--addresses', four, '--addresses', six],
  ];
  const a = await world.startBox('a', { more: both('127.0.0.2', '::1') });
  await world.startBox('b', { more: at('127.0.0.3') });
  const port = Number(new URL(a.url).port);
  const six = await openWay(t, { host: '127.0.0.2', port }, { host: '::1', port });
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['a', 'b']);
  await until('IPv6', async () => (await healthOf(plane, steering, 'a')).v6 === 'up');
  t.strictSame(await answered(steering, 6), ['::1']);
  await six.close();
  await until('IPv6 to be out', async () => (await answered(steering, 6)).length === 0);
  await until('IPv4 to stay', async () => (await answered(steering, 4)).length === 2);
  t.match(await healthOf(plane, steering, 'a'), {
    ...{ verdict: 'up', v4: 'up', v6: 'down', reason: /not over IPv6: .*ECONNREFUSED/ },
  });
  await openWay(t, { host: '127.0.0.2', port }, { host: '::1', port });
  await until('IPv6 to be back', async () => (await answered(steering, 6)).length === 1);
});

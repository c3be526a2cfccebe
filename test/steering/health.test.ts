import t from 'tap';
import { makeNamespace } from '../support/network-namespace.ts';
import { freePort, openWay } from '../support/cuttable-way.ts';
import {
  answered,
  healthOf,
  startHealthWorld,
  statusOf,
  untilLeft,
  untilWell,
} from '../support/health-world.ts';
import { until } from '../support/steering-process.ts';
import { hasIpv6Loopback } from '../support/system-ipv6.ts';

// Processes of their own take their time beside other tests.
t.setTimeout(300_000);

const at = (address: string): string[] => ['--host', address];

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
    ...{ verdict: 'down', v4: 'down', stream: 'none', reason: /ECONN/ },
    ...{ votes: [{ node: 'steering-1', v4: 'down' }] },
    history: [
      { from: 'unknown', to: 'up' },
      { from: 'up', to: 'down', reason: /ECONN/ },
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

t.test('a box behind a link that dies leaves the answers, though nobody is told anything', async (t) => {
  const space = makeNamespace(t);
  if (typeof space === 'string') {
    t.pass(`skipped: ${space}`);
    return;
  }
  const { plane, ...world } = await startHealthWorld(t);
  const { address, ownAddress, by } = space;
  const way = await openWay(t, { port: Number(new URL(plane.url).port) }, { host: ownAddress });
  const port = await freePort();
  const here = ['--port', String(port), '--peer-url', `http://${ownAddress}:${port}`];
  const steering = await world.startSteering('steering-1', here);
  await openWay(t, { port }, { host: ownAddress, port });
  await world.startBox('a', { more: at(address), by, controlUrl: `http://${ownAddress}:${way.port}` });
  await world.startBox('b', { more: at('127.0.0.3') });
  await untilWell(plane, [steering], ['a', 'b']);
  await until('both in the answer', async () => (await answered(steering)).includes(address));
  space.cut();
  const startedMs = performance.now();
  t.comment(
    `from the cut of the link to the first answer without it: ${await untilLeft(steering, address, startedMs)} ms`,
  );
  await until('its silence', async () => (await healthOf(plane, steering, 'a')).stream !== 'live');
  t.match(await healthOf(plane, steering, 'a'), { verdict: 'down', reason: /no answer within|EHOSTUNREACH/ });
  space.mend();
  await untilWell(plane, [steering], ['a', 'b']);
  await until('its return', async () => (await answered(steering)).includes(address));
});

t.test('planned maintenance leads viewers away before it begins, with the control plane gone', async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  await world.startBox('a', { site: 'site-a', more: at('127.0.0.2') });
  await world.startBox('b', { site: 'site-b', more: at('127.0.0.3') });
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['a', 'b']);
  await until('both in the answer', async () => (await answered(steering)).length === 2);
  const startMs = Date.now() + 60_000;
  const times = { startMs, endMs: startMs + 60_000, drainMs: 57_000 };
  const body = { site: 'site-a', ...times, reason: 'new fans' };
  t.equal((await plane.call('POST /v1/maintenance', { body })).status, 201);
  const { mapSequence } = await statusOf(plane, steering);
  await until('the calendar', async () => (await statusOf(plane, steering)).mapSequence > mapSequence);
  t.match(await healthOf(plane, steering, 'a'), { verdict: 'up' });
  await plane.stop();
  await untilLeft(steering, '127.0.0.2', performance.now());
  t.ok(Date.now() < startMs, 'before it begins');
  t.match(await healthOf(plane, steering, 'a'), {
    verdict: 'draining',
    reason: /planned maintenance.*new fans/,
  });
  t.match(await healthOf(plane, steering, 'b'), { verdict: 'up' });
});

t.test('who answers at an address of a box without being it is not taken for it', async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  await world.startBox('a', { more: at('127.0.0.2') });
  const b = await world.startBox('b', { more: at('127.0.0.3') });
  // Who asks for c gets to b.
  const way = await openWay(
    t,
    { host: '127.0.0.3', port: Number(new URL(b.url).port) },
    { host: '127.0.0.4' },
  );
  const url = `http://127.0.0.4:${way.port}`;
  await world.startBox('c', { more: ['--public-url', url, '--addresses', '127.0.0.4'] });
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['a', 'b']);
  await until('c to be found out', async () => (await healthOf(plane, steering, 'c')).verdict === 'down');
  t.match(await healthOf(plane, steering, 'c'), { reason: /is not c/ });
  await until('its stream', async () => (await healthOf(plane, steering, 'c')).stream === 'live');
  t.strictSame((await statusOf(plane, steering)).sight, 'clear');
});

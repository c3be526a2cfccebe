import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../support/free-port.ts';
import { openWay } from '../support/cuttable-way.ts';
import {
  answered,
  healthOf,
  startHealthWorld,
  statusOf,
  untilLeft,
  untilWell,
} from '../support/health-world.ts';
import { makeNamespace } from '../support/network-namespace.ts';
import { until } from '../support/steering-process.ts';

// Processes of their own take their time beside other tests.
t.setTimeout(300_000);

/** What the map says that steering-1 has stored, which is in force then. */
async function storedMap(dataDir: string): Promise<string> {
  const jws = await readFile(join(dataDir, 'steering-1', 'steering-map.jws'), 'utf8').catch(() => '');
  return Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString();
}

const at = (address: string): string[] => ['--host', address];

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
  // A newer map may be one from before the calendar.
  await until('the calendar', async () => (await storedMap(world.dataDir)).includes('new fans'));
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

import t from 'tap';

import { healthOf, startHealthWorld, untilWell } from '../support/health-world.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

// A dozen processes, beside other tests.
t.setTimeout(300_000);

t.test('health and maintenance from the command line', { timeout: 300_000 }, async (t) => {
  const { plane, ...world } = await startHealthWorld(t);
  await world.startBox('isp-a-1', { site: 'isp-a' });
  const steering = await world.startSteering('steering-1');
  await untilWell(plane, [steering], ['isp-a-1']);
  const nearcast = nearcastCli(plane);

  const all = await nearcast('steer', 'health', '--from', steering.url);
  t.match(all.stdout, /isp-a-1 +up +up +– +live .* it answers/);
  const one = await nearcast('steer', 'health', 'isp-a-1', '--from', steering.url);
  t.match(
    one.stdout,
    /It says: ready, .* 1 of 1 disks serve[^]*Seen by[^]*steering-1 +up[^]*Changes[^]*unknown +up/,
  );
  const json = await nearcast('--json', 'steer', 'health', 'isp-a-1', '--from', steering.url);
  t.match(JSON.parse(json.stdout), { id: 'isp-a-1', votes: [{ node: 'steering-1', v4: 'up' }] });
  t.match(await nearcast('steer', 'health', 'nobody', '--from', steering.url), {
    code: 1,
    stderr: /NODE_UNKNOWN/,
  });

  const plan = ['appliance', 'maintenance', 'add', '--reason', 'new fans'];
  const berlin = ['--time-zone', 'Europe/Berlin'];
  const made = await nearcast(
    '--json',
    ...plan,
    '--site',
    'isp-a',
    '--start',
    '2099-07-01 02:00',
    '--for',
    '2h',
    ...berlin,
  );
  const window = JSON.parse(made.stdout) as { id: string; startMs: number; endMs: number };
  t.equal(new Date(window.startMs).toISOString(), '2099-07-01T00:00:00.000Z');
  t.equal(window.endMs - window.startMs, 7_200_000);
  const list = await nearcast('appliance', 'maintenance', 'list');
  t.match(
    list.stdout,
    /site isp-a +15:00 +2099-07-01 02:00 +2099-07-01 04:00 +Europe\/Berlin +planned +new fans/,
  );
  const start = ['--start', '2099-07-01 02:00'];
  const bad: [string[], RegExp][] = [
    [[...plan, '--site', 'isp-a', ...start, '--for', '2h'], /needs a time zone/],
    [[...plan, '--site', 'isp-x', ...start, '--for', '2h', ...berlin], /isp-x/],
  ];
  for (const [argv, why] of bad) t.match(await nearcast(...argv), { code: 1, stderr: why });
  t.match((await nearcast('appliance', 'maintenance', 'remove', window.id)).stdout, /is removed/);
  t.match((await nearcast('appliance', 'maintenance', 'list')).stdout, /Nothing is planned/);
  t.match(await healthOf(plane, steering, 'isp-a-1'), { verdict: 'up' });
});

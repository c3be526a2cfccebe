import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';

import { ExplainReply } from '../../common/contract/steering.ts';
import { matches } from '../../common/runtime/parse.ts';
import { addTitle } from '../control-plane/support/add-title.ts';
import { enrolNode } from '../control-plane/support/control-plane.ts';
import { freePort } from '../support/free-port.ts';
import { answered, startHealthWorld, untilWell } from '../support/health-world.ts';
import { nearcastCli, type CliOutcome } from '../support/nearcast-cli.ts';

// A dozen processes, beside other tests.
t.setTimeout(300_000);

t.test('what steering answers and why, now and then, and what a change would do', async (t) => {
  const port = await freePort();
  const flags = ['--steering-url', `http://127.0.0.1:${port}`, '--ingest-roots', tmpdir()];
  const { plane, dataDir, ...world } = await startHealthWorld(t, { flags });
  const startBox = async (name: string, routes: readonly [prefix: string, asPathLength: number][]) => {
    const file = join(dataDir, `${name}.json`);
    const listed = routes.map(([prefix, asPathLength]) => ({ prefix, asPathLength, class: 'embedded' }));
    await writeFile(file, JSON.stringify(listed));
    await world.startBox(name, { site: name, more: ['--routes-file', file] });
  };
  await startBox('isp-a-1', [['127.0.0.0/8', 1], ['203.0.113.0/24', 1]]); // prettier-ignore
  await startBox('isp-b-1', [['127.0.0.0/8', 3], ['198.51.100.0/24', 1]]); // prettier-ignore
  const steering = await world.startSteering('steering-1', ['--port', `${port}`]);
  await untilWell(plane, [steering], ['isp-a-1', 'isp-b-1']);
  const nearcast = nearcastCli(plane);
  const untilSaid = async (wanted: RegExp, ...argv: string[]): Promise<CliOutcome> => {
    for (let tries = 0; ; tries++) {
      const outcome = await nearcast(...argv);
      if (wanted.test(outcome.stdout) || tries === 20) return outcome;
      await sleep(250);
    }
  };

  const both = await untilSaid(/203[^]* way 1 of 1/, 'steer', 'explain', '--client', '203.0.113.9');
  t.match(
    both.stdout,
    /^203\.0\.113\.9 asks for any title: longest prefix 203\.0\.113\.0\/24; map \d+, .* old$/m,
  );
  t.match(both.stdout, /^1 +isp-a-1 +isp-a-1 +isp-a-1 +\/24 +embedded +1 +0 +– +\d+\.\d{3}$/m);
  t.match(
    both.stdout,
    /^– +isp-b-1 +isp-b-1 +isp-b-1 +– +– +– +– +– +–$/m,
    'what reaches nobody has no keys',
  );
  t.match(both.stdout, /^1 isp-a-1: way 1 of 1; reaches the client by a \/24$/m);
  t.match(both.stdout, /^– isp-b-1: no-route, none of its 2 route\(s\) reaches the client/m);
  t.match(both.stdout, /^→ isp-a-1$/m);
  const tie = await nearcast('steer', 'explain', '--client', '127.0.0.1', '--from', steering.url);
  t.match(tie.stdout, /^2 +isp-b-1 .* +\/8 +embedded +3 +0 +– +\d+\.\d{3} +as-path$/m);
  t.match(tie.stdout, /^→ isp-a-1, then isp-b-1$/m);
  const json = await nearcast('--json', 'steer', 'explain', '--client', '127.0.0.1');
  t.ok(matches(ExplainReply, JSON.parse(json.stdout)));

  const encoder = await enrolNode(plane, 'encoder-1', { role: 'encoder' });
  await addTitle(plane, encoder, { name: 'Film One' });
  const film = await untilSaid(
    /not-held/,
    'steer',
    'explain',
    '--client',
    '127.0.0.1',
    '--title',
    'film one',
  );
  t.match(
    film.stdout,
    /asks for Film One: [^]*– isp-a-1: not-held, .*\n– isp-b-1: not-held, .*\n→ nobody: no box/,
  );

  const at = new Date(Date.now()).toISOString().slice(0, 19) + 'Z';
  const past = await untilSaid(/then isp-b-1/, 'steer', 'explain', '--client', '127.0.0.1', '--at', at);
  t.match(past.stdout, new RegExp(`any title at ${at.slice(0, 19)}\\.000Z: longest prefix 127`));
  const bad: [argv: string[], code: number, why: RegExp][] = [
    [['explain', '--client', '10.0.0.0/8'], 64, /no IP address such as/],
    [['explain', '--client', '127.0.0.1', '--at', 'yesterday'], 1, /10m ago is "10m"/],
    [['explain', '--client', '127.0.0.1', '--at', '2h'], 1, /HISTORY_GONE/],
    [['explain', '--client', '127.0.0.1', '--at', '2999-01-01T00:00Z'], 1, /still to come/],
    [['explain', '--client', '127.0.0.1', '--title', 'Nobody'], 1, /none is called Nobody/],
    [['replay', join(dataDir, 'nothing')], 1, /cannot be read/],
    [['replay', '/etc/passwd'], 1, /is no recording/],
  ];
  for (const [argv, code, stderr] of bad) t.match(await nearcast('steer', ...argv), { code, stderr });

  for (let asked = 0; asked < 20; asked++) t.equal((await answered(steering)).length, 2);
  const file = join(dataDir, 'recording');
  const record = ['steer', 'record', '--from', '5m', '--out', file];
  let replayed: CliOutcome;
  do {
    t.match(await nearcast(...record, '--steering', steering.url), { code: 0, stdout: /try it with/ });
    replayed = await nearcast('steer', 'replay', file);
  } while (replayed.stderr.includes('no decisions'));
  t.match(replayed.stdout, /^\d+ decisions \(\d+ samples\): 0 % of them would go elsewhere first$/m);
  t.match(replayed.stdout, /Nobody would move\.[^]*isp-a-1 +(\d+) +\1$/m);
  const moved = await nearcast('steer', 'replay', file, '--without', 'isp-a-1');
  t.match(moved.stdout, /: 100 % of them[^]*isp-a-1 +isp-b-1 +\d+[^]*isp-a-1 +\d+ +0[^]*isp-b-1 +0 +\d+/);
  t.match(await nearcast('steer', 'replay', file, '--without', 'isp-a-7'), {
    code: 1,
    stderr: /no map of the recording has isp-a-7/,
  });
  t.match(await nearcast('steer', 'replay', file, '--rank-order', 'luck'), {
    code: 1,
    stderr: /luck is no key/,
  });
});

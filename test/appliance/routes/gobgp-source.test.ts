import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { createRouteClassifier } from '../../../appliance/core/routes/route-classes.ts';
import { readGobgpPath } from '../../../appliance/routes/gobgp-paths.ts';
import { createGobgpSource } from '../../../appliance/routes/gobgp-source.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { gobgpLabMissing, startGobgpLab } from '../../support/gobgp-lab.ts';
import { createTold } from '../../support/told-routes.ts';

const missing = await gobgpLabMissing();
const classifier = createRouteClassifier(['65001:1:2=private', '65001:300=public'], 'embedded');

t.test(
  'routes are learned from GoBGP: announced, changed, withdrawn, gone with their session and with it',
  { skip: missing ?? false },
  async (t) => {
    const lab = await startGobgpLab();
    t.teardown(() => lab.close());
    const told = createTold();
    const options = {
      address: lab.address,
      classifier,
      restartMs: 0,
      routesMax: 3,
      clock: createSystemClock(),
    };
    const source = createGobgpSource({ ...options, log: createSilentLog() });
    const ended = new AbortController();
    const done = source.run(told.listener, ended.signal);
    t.teardown(async () => {
      ended.abort();
      await done;
    });
    // Without a next hop it would be the loopback, which the other side refuses.
    await lab.command('isp', 'global rib add 203.0.113.0/24 nexthop 192.0.2.1 med 50 community 65001:300');
    await lab.command(
      'isp',
      'global rib add 198.51.100.0/24 nexthop 192.0.2.1 aspath 65009,65010 large-community 65001:1:2',
    );
    await lab.command('isp', 'global rib add -a ipv6 2001:db8::/32');
    await told.until((routes) => routes.length === 3);
    t.same(told.routes, [
      { prefix: '198.51.100.0/24', asPathLength: 3, med: 0, class: 'private' },
      { prefix: '203.0.113.0/24', asPathLength: 1, med: 50, class: 'public' },
      { prefix: '2001:db8::/32', asPathLength: 1, med: 0, class: 'embedded' },
    ]);
    await lab.command('isp', 'global rib add 203.0.113.0/24 nexthop 192.0.2.1 med 7');
    await told.until((routes) => routes.some(({ med }) => med === 7));
    await lab.command('isp', 'global rib del 203.0.113.0/24');
    await told.until((routes) => routes.length === 2);
    for (const last of [1, 2, 3])
      await lab.command('isp', `global rib add 10.${last}.0.0/16 nexthop 192.0.2.1`);
    await told.untilReason(/ROUTES_CAPPED/);
    await told.until((routes) => routes.length === 3);
    // When the flood is over, what was left out of it is told, and no longer that something is.
    for (const over of ['198.51.100.0/24', told.routes[0]?.prefix ?? ''])
      await lab.command('isp', `global rib del ${over}`).catch(() => undefined);
    await told.until(
      (routes) => routes.length === 3 && routes.filter(({ prefix }) => prefix.startsWith('10.')).length === 2,
    );
    await told.untilNoReason();
    await lab.kill('isp');
    await told.until((routes) => routes.length === 0);
    await told.untilReason(/ROUTE_SESSION_DOWN: 127\.0\.9\.1/);
    await lab.start('isp');
    await lab.command('isp', 'global rib add 203.0.113.0/24 nexthop 192.0.2.1');
    await told.until((routes) => routes.length === 1);
    await lab.kill('box');
    await told.until((routes) => routes.length === 0);
    await told.untilReason(/ROUTE_SOURCE_UNAVAILABLE: .*127\.0\.0\.1/);
    await lab.start('box');
    await told.until((routes) => routes.length === 1);
  },
);

/** A program of this name that prints what `gobgp` would: the lines to whoever follows the table, no session to others. */
async function pretend(t: Test, lines: readonly string[]): Promise<void> {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'lines'), lines.map((line) => `${line}\n`).join(''));
  const script = `#!/bin/sh\ncase "$*" in *monitor*) cat "${directory}/lines"; exec sleep 1000;; *) echo '[]';; esac\n`;
  await writeFile(join(directory, 'gobgp'), script, { mode: 0o755 });
  const { PATH } = process.env;
  process.env['PATH'] = `${directory}:${PATH}`;
  t.teardown(() => (process.env['PATH'] = PATH));
}

t.test('what cannot be read takes no other route along, and is counted', async (t) => {
  const path = (prefix: string, more: object = {}) =>
    JSON.stringify([{ nlri: { prefix }, attrs: [{ type: 2, as_paths: [{ segment_type: 2, asns: [1] }] }], ...more }]); // prettier-ignore
  await pretend(t, [
    path('203.0.113.0/24'),
    path('203.0.113.7/24'),
    path('10.0.0.0/8', { attrs: [{ type: 4, metric: -1 }] }),
    path('2001:db8::/32'),
  ]);
  const told = createTold();
  const ended = new AbortController();
  const shared = { classifier, restartMs: 0, routesMax: 10, clock: createSystemClock() };
  const source = createGobgpSource({ ...shared, address: '127.0.0.1:1', log: createSilentLog() });
  const done = source.run(told.listener, ended.signal);
  await told.untilReason(/ROUTE_UNREADABLE: 2 routes/);
  await told.until((routes) => routes.length > 0);
  t.same(told.routes.map(({ prefix }) => prefix), ['203.0.113.0/24', '2001:db8::/32']); // prettier-ignore
  ended.abort();
  await done;
});

t.test('absurd paths of GoBGP: prepended, looped, private, of AS 0', async (t) => {
  const lengthOf = (asns: number[], type = 2) =>
    readGobgpPath(
      JSON.stringify({ nlri: { prefix: '10.0.0.0/8' }, attrs: [{ type: 2, as_paths: [{ segment_type: type, asns }] }] }), // prettier-ignore
      classifier,
    )?.keys?.asPathLength;
  t.equal(lengthOf(Array<number>(255).fill(65001)), 255);
  t.equal(lengthOf(Array<number>(1000).fill(65001)), 255, 'as long as a path can count');
  t.equal(lengthOf(Array<number>(1000).fill(65001), 1), 1, 'a set');
  t.equal(lengthOf([65001, 65002, 65001, 65002]), 4, 'what goes in circles is as long as it says');
  t.equal(lengthOf([0, 23456, 64512, 4_294_967_295]), 4);
});

t.test('paths of GoBGP: sets and confederations, other families, and what is no path', async (t) => {
  const segments = [
    { segment_type: 3, asns: [1, 2] },
    { segment_type: 2, asns: [3, 4] },
    { segment_type: 1, asns: [5, 6, 7] },
    { segment_type: 2 },
  ];
  const path = (attrs: unknown[]) => JSON.stringify({ nlri: { prefix: '10.0.0.0/8' }, attrs });
  t.same(
    readGobgpPath(
      path([
        { type: 2, as_paths: segments },
        { type: 32, value: 'x' },
      ]),
      classifier,
    ),
    {
      prefix: '10.0.0.0/8',
      keys: { classOrder: 0, asPathLength: 3, med: 0 },
    },
  );
  t.equal(readGobgpPath('{"nlri":{"value":"x"},"attrs":[]}', classifier), undefined);
  for (const text of [
    '{',
    '{"nlri":5}',
    path([{ type: 4, metric: -1 }]),
    path([{ type: 2, as_paths: [{}] }]),
  ]) {
    t.throws(() => readGobgpPath(text, classifier), { code: 'ROUTE_SOURCE_UNREADABLE' });
  }
});

import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { openFileSource, readRoutes } from '../../../appliance/routes/file-source.ts';
import type { Route } from '../../../common/contract/documents.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { listRoutes } from '../../../control-plane/core/route-rows.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { createTold } from '../../support/told-routes.ts';

void t.test('a routes file that is wrong is refused with where and why', async (test) => {
  const path = join(await temporaryDirectory(test), 'routes.json');
  const bad: [string, RegExp][] = [
    ['{', /not JSON/],
    ['{}', /array/],
    ['[{"prefix":"10.0.0.0/8"}]', /0\.asPathLength is missing/],
    [
      '[{"prefix":"10.0.0.1/8","asPathLength":1,"class":"public"}]',
      /entry 1, 10\.0\.0\.1\/8, .*bits behind its length/,
    ],
    [
      '[{"prefix":"10.0.0.0/8","asPathLength":1,"class":"public"},{"prefix":"::/0","asPathLength":1,"class":"public"}]',
      /entry 2.*default route/,
    ],
    ['[{"prefix":"10.0.0.0/8","asPathLength":1,"class":"free"}]', /0\.class/],
    ['[{"prefix":"10.0.0.0/8","asPathLength":256,"class":"public"}]', /0\.asPathLength/],
    ['[{"prefix":"10.0.0.0/8","asPathLength":"1 2 3","class":"public"}]', /0\.asPathLength/],
    [' '.repeat(64 * 1024 * 1024 + 1), /67108865 bytes/],
  ];
  for (const [text, message] of bad) {
    await writeFile(path, text);
    await test.rejects(readRoutes(path), { code: 'CONFIG_INVALID', message });
  }
  await test.rejects(readRoutes(`${path}.missing`), { code: 'CONFIG_INVALID', message: /ENOENT/ });
  await writeFile(path, '[{"prefix":"2001:db8::/32","asPathLength":0,"med":7,"class":"private"}]');
  test.same(listRoutes((await readRoutes(path)).table), [
    { prefix: '2001:db8::/32', asPathLength: 0, med: 7, class: 'private' },
  ]);
});

void t.test('a changed file is read again; a wrong one changes nothing and is said', async (test) => {
  const path = join(await temporaryDirectory(test), 'routes.json');
  const write = async (routes: readonly Route[] | string): Promise<void> => {
    await writeFile(`${path}.new`, typeof routes === 'string' ? routes : JSON.stringify(routes));
    await rename(`${path}.new`, path);
  };
  const route: Route = { prefix: '192.0.2.0/24', asPathLength: 1, class: 'embedded' };
  await write([route]);
  const source = await openFileSource({ path, log: createSilentLog() });
  const told = createTold();
  const ended = new AbortController();
  const done = source.run(told.listener, ended.signal);
  await told.until((routes) => routes.length === 1);
  await write([route, { ...route, prefix: '198.51.100.0/24', med: 5 }]);
  await told.until((routes) => routes.some(({ med }) => med === 5));
  await write('[');
  await told.untilReason(/ROUTE_SOURCE_UNREADABLE.*not JSON/);
  test.equal(told.routes.length, 2, 'the old ones stay');
  await write([route]);
  await told.until((routes) => routes.length === 1);
  test.same(told.reasons, []);
  const flood = Array.from({ length: 100_007 }, (_, at) => ({ ...route, prefix: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32` })); // prettier-ignore
  await write(flood);
  await told.untilReason(/ROUTES_CAPPED: the routes file has 100007 routes, of which 100000 are told/);
  test.equal(told.routes.length, 100_000);
  await write([route]);
  await told.until((routes) => routes.length === 1);
  test.same(told.reasons, []);
  ended.abort();
  await done;
});

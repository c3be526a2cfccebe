import t from 'tap';

import type { Route } from '../../common/contract/documents.ts';
import { nameRouteTable, type NamedRouteTable } from '../../common/core/route-table-delta.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { createClientSites, type ClientSites } from '../../control-plane/client-sites.ts';
import { tableOfRoutes } from '../../control-plane/core/route-rows.ts';
import { mergeSites } from '../../control-plane/core/site-routes.ts';

interface Box {
  readonly site: string;
  readonly role: 'appliance' | 'origin';
  readonly table: NamedRouteTable;
}

function box(site: string, routes: readonly (string | Route)[], role: Box['role'] = 'appliance'): Box {
  const whole = routes.map((route) =>
    typeof route === 'string' ? ({ prefix: route, asPathLength: 1, class: 'embedded' } as const) : route,
  );
  return { site, role, table: nameRouteTable(tableOfRoutes(whole).table) };
}

async function* tablesOf(boxes: readonly Box[], names: readonly string[]) {
  for (const name of names) yield boxes.find(({ table }) => table.name === name)!.table.table;
}

function clientSites(boxes: () => readonly Box[], clock = createManualClock()): ClientSites {
  return createClientSites({
    nodes: () => boxes().map(({ site, role }, index) => ({ id: String(index), site, role })),
    used: (id) => boxes()[Number(id)]?.table,
    merge: (names) => mergeSites(tablesOf(boxes(), names)),
    ...{ clock, log: createSilentLog() },
  });
}

t.test('a viewer is where the longest prefix leads, whatever is held there', async (t) => {
  const boxes = [
    box('isp-a', ['10.0.0.0/8', '2001:db8::/32', '0.0.0.0/0']),
    box('isp-b', ['10.1.0.0/16', '10.0.0.0/8']),
    box('nowhere', ['10.1.1.0/24'], 'origin'),
  ];
  const sites = clientSites(() => boxes);
  t.equal(sites.siteOf('10.2.3.4'), undefined, 'nothing is known before the tables are read');
  await sites.refresh();
  t.equal(sites.siteOf('10.2.3.4'), 'isp-a', 'of equals the first by name');
  t.equal(sites.siteOf('10.1.1.1'), 'isp-b', 'an origin is no site');
  t.equal(sites.siteOf('10.2.0.0'), 'isp-a');
  t.equal(sites.siteOf('2001:db8::1'), 'isp-a');
  t.equal(sites.siteOf('192.0.2.1'), undefined, 'a default route tells nothing');
  t.equal(sites.siteOf('2001:db9::1'), undefined);
  t.equal(sites.siteOf('not an address'), undefined);
});

t.test('of one prefix the better route counts', async (t) => {
  const route = (asPathLength: number, of: Route['class']): Route => ({
    ...{ prefix: '10.0.0.0/8', asPathLength, class: of },
  });
  const best = async (...boxes: Box[]) => {
    const sites = clientSites(() => boxes);
    await sites.refresh();
    return sites.siteOf('10.0.0.1');
  };
  t.equal(await best(box('a', [route(1, 'private')]), box('b', [route(3, 'embedded')])), 'b');
  t.equal(await best(box('a', [route(3, 'private')]), box('b', [route(2, 'private')])), 'b');
  t.equal(await best(box('b', [route(2, 'private')]), box('a', [route(2, 'private')])), 'a');
});

t.test('routes that change are read anew', async (t) => {
  let boxes = [box('isp-a', ['10.0.0.0/8'])];
  const sites = clientSites(() => boxes);
  await sites.refresh();
  t.equal(sites.siteOf('10.1.0.1'), 'isp-a');
  boxes = [...boxes, box('isp-b', ['10.1.0.0/16'])];
  await sites.refresh();
  t.equal(sites.siteOf('10.1.0.1'), 'isp-b');
  t.equal(sites.siteOf('10.2.0.1'), 'isp-a');
});

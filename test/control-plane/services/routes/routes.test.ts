import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import t from 'tap';

import { documentTypes, SteeringMap, type SteeringAppliance } from '../../../../common/contract/documents.ts';
import { RouteLint, RoutesView, RouteTableReply } from '../../../../common/contract/routes.ts';
import { decodeRouteTable } from '../../../../common/core/route-table-codec.ts';
import { createRouteTableBuilder } from '../../../../common/core/route-table.ts';
import { nameRouteTable, type NamedRouteTable } from '../../../../common/core/route-table-delta.ts';
import { valueOf } from '../../../../common/runtime/errors.ts';
import {
  packRouteTable,
  routeTableBytesMax,
  unpackRouteTable,
} from '../../../../common/runtime/route-table-packing.ts';
import { listRoutes } from '../../../../control-plane/core/route-rows.ts';
import {
  enrolNode,
  eventually,
  openSigned,
  startPlane,
  testNode,
  type TestNode,
  type TestPlane,
} from '../../support/control-plane.ts';
import { tableOf, tellDelta, tellPacked, tellRoutes } from '../../support/tell-routes.ts';

/** A box that has reported, without routes. */
async function addBox(
  plane: TestPlane,
  name: string,
  of: { site?: string; cluster?: string; addresses?: string[] } = {},
): Promise<TestNode> {
  const { site = 'isp-a', addresses = ['192.0.2.1'], cluster = site } = of;
  const node = await enrolNode(plane, name, { site, cluster });
  await node.beat({ routes: [], addresses });
  return node;
}

async function show(plane: TestPlane, query: string): Promise<RoutesView> {
  return (await plane.call(`GET /v1/routes${query}`)).as(RoutesView);
}

async function prefixesInMap(plane: TestPlane, steering: TestNode, nodeId: string): Promise<string[]> {
  const { text, status } = await steering.call('GET /v1/steering-map');
  if (status !== 200) return [];
  const { body } = await openSigned(plane, text, { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' }); // prettier-ignore
  const name = body.appliances.find(({ id }) => id === nodeId)?.routeTable?.name;
  if (name === undefined) return [];
  const { bytes } = await steering.call(`GET /v1/route-tables/${name}`);
  const table = valueOf(decodeRouteTable(await unpackRouteTable(bytes), { routesMax: 100 }));
  return listRoutes(table).map(({ prefix }) => prefix);
}

t.test('a table is told whole, then what changed; the map follows; both outlive the process', async (t) => {
  const plane = await startPlane(t);
  const box = await addBox(plane, 'isp-a-1');
  const steering = await enrolNode(plane, 'steer-1', { role: 'steering' });
  const [one, two] = [
    tableOf('203.0.113.0/24'),
    tableOf('203.0.113.0/24', { prefix: '2001:db8::/32', med: 7 }),
  ];
  t.same((await tellRoutes(box, one)).json, { name: one.name, routes: 1, refused: [] });
  t.same((await tellDelta(box, one, two)).as(RouteTableReply), { name: two.name, routes: 2, refused: [] });
  t.match((await box.beat({ routes: undefined })).json, { routeTable: two.name });
  const wanted = ['203.0.113.0/24', '2001:db8::/32'];
  t.same(await eventually(() => prefixesInMap(plane, steering, box.id), ({ length }) => length === 2), wanted); // prettier-ignore
  t.match(await show(plane, '?appliance=isp-a-1'), {
    appliances: [{ appliance: 'isp-a-1', table: two.name, ipv4: 1, ipv6: 1, refused: [] }],
    routes: [
      { prefix: '203.0.113.0/24', asPathLength: 2 },
      { prefix: '2001:db8::/32', med: 7 },
    ],
    more: 0,
  });
  await plane.stop();

  const again = await startPlane(t, { dataDir: plane.dataDir });
  t.match(await show(again, '?client=2001:db8::1'), {
    routes: [{ appliance: 'isp-a-1', prefix: '2001:db8::/32' }],
  });
  const here = testNode(again, box);
  t.match(await tellDelta(here, two, one), { status: 200 }, 'the base is still known');
});

t.test('the map says of a box without routes whether it learns any', async (t) => {
  const plane = await startPlane(t);
  const steering = await enrolNode(plane, 'steer-1', { role: 'steering' });
  const shownOf = async (of: TestPlane, nodeId: string): Promise<Partial<SteeringAppliance>> => {
    const { status, text } = await testNode(of, steering).call('GET /v1/steering-map');
    if (status !== 200) return {};
    const { body } = await openSigned(of, text, { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' }); // prettier-ignore
    return body.appliances.find(({ id }) => id === nodeId) ?? {};
  };
  const fedInMap = async (nodeId: string, fed: true | undefined, isRouted = false): Promise<void> => {
    const isWanted = ({ id, routeFeed, routeTable }: Partial<SteeringAppliance>): boolean =>
      id === nodeId && routeFeed === fed && (routeTable !== undefined) === isRouted;
    t.ok(isWanted(await eventually(() => shownOf(plane, nodeId), isWanted)), nodeId);
  };
  const [empty, one] = [tableOf(), tableOf('203.0.113.0/24')];
  const box = await enrolNode(plane, 'isp-a-1');
  await box.beat({ routes: undefined, routeFeed: true });
  await fedInMap(box.id, true);
  t.match((await plane.call('GET /v1/routes/lint')).as(RouteLint).findings, [
    { fault: 'none', detail: /nobody is sent to it; is its BGP session up/ },
  ]);
  await tellRoutes(box, one);
  await fedInMap(box.id, true, true);
  await tellDelta(box, one, empty);
  await fedInMap(box.id, true);
  await box.beat({ routes: undefined, routeFeed: false });
  await fedInMap(box.id, undefined);
  t.match((await plane.call('GET /v1/routes/lint')).as(RouteLint).findings, [
    { fault: 'none', detail: /it learns no routes/ },
  ]);
  await box.beat({ routes: undefined, routeFeed: true });

  const earlier = await addBox(plane, 'isp-b-1');
  await fedInMap(earlier.id, undefined);
  await earlier.beat({ routes: [{ prefix: '198.51.100.0/24', asPathLength: 1, class: 'embedded' }] });
  await fedInMap(earlier.id, true, true);
  await earlier.beat({ routes: [] });
  await fedInMap(earlier.id, true);
  await plane.stop();
  // As after a restore: backups hold none.
  await rm(join(plane.dataDir, 'route-tables'), { recursive: true });

  const again = await startPlane(t, { dataDir: plane.dataDir });
  const { findings } = (await again.call('GET /v1/routes/lint')).as(RouteLint);
  const none = { fault: 'none', detail: /nobody is sent to it/ };
  t.match(findings, [none, none], 'also where the control plane starts anew, without the tables');
  const later = testNode(again, earlier);
  await later.beat({ routes: [] });
  t.match((await again.call('GET /v1/routes/lint')).as(RouteLint).findings, [none, none], 'nor told anew');
});

t.test('a difference to another table is refused, so that the whole one comes', async (t) => {
  const plane = await startPlane(t);
  const box = await enrolNode(plane, 'isp-a-1');
  const [one, two, three] = [tableOf('10.0.0.0/8'), tableOf('10.0.0.0/9'), tableOf('10.0.0.0/10')];
  t.match((await tellDelta(box, one, two)).json, { code: 'ROUTE_TABLE_UNKNOWN' });
  await tellRoutes(box, one);
  t.match(await tellDelta(box, two, three), { status: 404, json: { code: 'ROUTE_TABLE_UNKNOWN' } });
  t.match(await show(plane, ''), { appliances: [{ table: one.name }] }, 'what was held stays');
});

t.test('a table that the disk has damaged is told again', async (t) => {
  const plane = await startPlane(t);
  const box = await addBox(plane, 'isp-a-1');
  const [one, two] = [tableOf('203.0.113.0/24'), tableOf('203.0.113.0/25')];
  await tellRoutes(box, one);
  await plane.stop();
  await writeFile(join(plane.dataDir, 'route-tables', `${one.name}.zst`), 'rot');
  await writeFile(join(plane.dataDir, 'route-tables', 'half.tmp'), 'of a process that was killed');

  const again = await startPlane(t, { dataDir: plane.dataDir });
  const here = testNode(again, box);
  t.match((await tellDelta(here, one, two)).json, { code: 'ROUTE_TABLE_UNKNOWN' });
  t.notMatch((await here.beat({ routes: undefined })).json, { routeTable: one.name });
  t.match((await tellRoutes(here, one)).json, { routes: 1 });
  t.match((await tellDelta(here, one, two)).json, { name: two.name });
  const files = await readdir(join(plane.dataDir, 'route-tables'));
  t.ok(
    files.includes(`${two.name}.zst`) && files.every((file) => file.endsWith('.zst')),
    'nothing is left over',
  );
});

t.test('bodies that are cut, bombs, junk and of others change nothing', async (t) => {
  const plane = await startPlane(t);
  const box = await enrolNode(plane, 'isp-a-1');
  const other = await enrolNode(plane, 'isp-a-2');
  const table = tableOf('203.0.113.0/24', '198.51.100.0/24');
  await tellRoutes(box, table);
  const packed = await packRouteTable(table.bytes);
  const bad: [string, Buffer, number][] = [
    ['cut off', packed.subarray(0, -2), 400],
    ['cut off inside', await packRouteTable(table.bytes.subarray(0, -2)), 400],
    ['a bomb', zstdCompressSync(Buffer.alloc(routeTableBytesMax + 1)), 400],
    ['junk', Buffer.from('junk'), 400],
    ['nothing', Buffer.alloc(0), 400],
  ];
  for (const [what, body, status] of bad) {
    for (const method of ['PUT', 'PATCH'] as const) {
      t.equal((await tellPacked(box, method, body)).status, status, `${method}: ${what}`);
    }
  }
  const asOther = { ...other, id: box.id };
  t.match(await tellRoutes(asOther, table), { status: 403 });
  const json = await box.call(`PUT /v1/nodes/${box.id}/route-table`, { body: [] });
  t.match(json.json, { code: 'UNSUPPORTED_MEDIA_TYPE' });
  t.match(await show(plane, '?appliance=isp-a-1'), { appliances: [{ table: table.name }] });
});

t.test('a site may announce what is allowed: the rest is refused, told to the box and shown', async (t) => {
  const plane = await startPlane(t);
  const box = await addBox(plane, 'isp-a-1');
  const table = tableOf(
    '203.0.113.0/24',
    '203.0.113.128/25',
    '198.51.100.0/24',
    '0.0.0.0/0',
    '2001:db8:1::/48',
  );
  t.match((await tellRoutes(box, table)).json, { routes: 4, refused: [{ refusal: 'default', count: 1 }] });
  const allowed = [{ prefix: '203.0.113.0/24' }, { prefix: '2001:db8::/32', maxLength: 48 }];
  const sites = await plane.call('PATCH /v1/routes/sites/isp-a', { body: { allowed } });
  t.match(sites.json, {
    sites: [{ site: 'isp-a', appliances: 1, allowed: [{ maxLength: 24 }, { maxLength: 48 }] }],
  });
  const view = await show(plane, '?appliance=isp-a-1');
  t.same(view.routes.map(({ prefix }) => prefix), ['203.0.113.0/24', '2001:db8:1::/48']); // prettier-ignore
  const refused = [
    { refusal: 'default', count: 1, examples: ['0.0.0.0/0'] },
    { refusal: 'foreign', count: 1, examples: ['198.51.100.0/24'] },
    { refusal: 'too-specific', count: 1, examples: ['203.0.113.128/25'] },
  ];
  t.same(view.appliances[0]?.refused, refused);
  t.match((await tellRoutes(box, table)).json, { refused });
  await box.beat({ routes: undefined });
  const node = await plane.call('GET /v1/nodes/isp-a-1');
  t.match(node.json, {
    routeCount: 2,
    reasons: [/ROUTE_DEFAULT: 1/, /ROUTE_FOREIGN: 1/, /ROUTE_TOO_SPECIFIC: 1/],
  });

  await plane.call('PATCH /v1/routes/sites/isp-a', { body: { allowed: null, routesMax: 1 } });
  t.match(await show(plane, '?appliance=isp-a-1'), { routes: [{ prefix: '198.51.100.0/24' }] }, 'the first');
  for (const prefix of ['203.0.113.1/24', '10.0.0.0/33', 'a::/b']) {
    t.match(await plane.call('PATCH /v1/routes/sites/isp-a', { body: { allowed: [{ prefix }] } }), {
      status: 400,
    });
  }
  const long = { allowed: [{ prefix: '10.0.0.0/16', maxLength: 8 }] };
  t.match((await plane.call('PATCH /v1/routes/sites/isp-a', { body: long })).json, { code: 'INVALID' });
});

t.test('lint names what is wrong with the routes of each box', async (t) => {
  const plane = await startPlane(t);
  const one = await addBox(plane, 'isp-a-1', { addresses: ['203.0.113.1', '2001:db8::1'] });
  const two = await addBox(plane, 'isp-a-2', { addresses: ['203.0.113.2'] });
  await addBox(plane, 'isp-a-3', { cluster: 'isp-a.far', addresses: ['192.0.2.7'] });
  await tellRoutes(one, tableOf('203.0.113.0/24', '192.0.2.0/24', '0.0.0.0/0'));
  const stable = tableOf('203.0.113.0/24', '2001:db8::/32');
  const flaps = tableOf('203.0.113.0/24', '2001:db8::/32', '198.51.100.0/24');
  for (const table of [stable, flaps, stable, flaps, stable]) await tellRoutes(two, table);
  const { appliances, findings } = (await plane.call('GET /v1/routes/lint')).as(RouteLint);
  t.equal(appliances, 3);
  t.same(
    findings.map(({ appliance, fault, count, examples }) => [appliance, fault, count, ...examples]),
    [
      ['isp-a-1', 'default', 1, '0.0.0.0/0'],
      ['isp-a-1', 'no-ipv6', 2],
      ['isp-a-1', 'asymmetric', 1, '2001:db8::/32'],
      ['isp-a-2', 'asymmetric', 1, '192.0.2.0/24'],
      ['isp-a-2', 'no-route-to-box', 1, 'isp-a-3 192.0.2.7'],
      ['isp-a-2', 'flapping', 1, '198.51.100.0/24 (4 times)'],
      ['isp-a-3', 'none', 0],
    ],
  );
  t.match(await plane.call('GET /v1/routes/lint?appliance=nobody'), { status: 404 });
  await plane.stop();

  const again = await startPlane(t, { dataDir: plane.dataDir });
  const later = (await again.call('GET /v1/routes/lint?appliance=isp-a-2')).as(RouteLint);
  const flapping = later.findings.filter(({ fault }) => fault === 'flapping');
  t.match(flapping, [{ examples: ['198.51.100.0/24 (4 times)'] }], 'a restart forgets nothing');
  t.match(await show(again, '?appliance=isp-a-2'), { appliances: [{ changesLastHour: 5 }] });
});

t.test('lint names a default route that is announced in parts', async (t) => {
  const plane = await startPlane(t);
  const halves = await addBox(plane, 'isp-a-1');
  const parts = await addBox(plane, 'isp-b-1', { site: 'isp-b' });
  await tellRoutes(halves, tableOf('0.0.0.0/1', '128.0.0.0/1', '203.0.113.0/24', '::/1', '8000::/1'));
  const eighths = Array.from({ length: 256 }, (_, at) => `${at}.0.0.0/8`);
  await tellRoutes(parts, tableOf(...eighths, '2001:db8::/32'));
  const { findings } = (await plane.call('GET /v1/routes/lint')).as(RouteLint);
  t.same(
    findings.map(({ appliance, fault, count, examples }) => [appliance, fault, count, ...examples]),
    [
      ['isp-a-1', 'default-in-parts', 2, '0.0.0.0/1', '128.0.0.0/1'],
      ['isp-a-1', 'default-in-parts', 2, '::/1', '8000::/1'],
      ['isp-b-1', 'default-in-parts', 256, ...eighths.slice(0, 10)],
    ],
  );
});

t.test('lint names the sites of its partner to which no route of a box leads', async (t) => {
  const plane = await startPlane(t);
  const box = await addBox(plane, 'isp-a-1');
  await addBox(plane, 'isp-b-1', { site: 'isp-b', addresses: ['198.51.100.1'] });
  await addBox(plane, 'isp-b-2', { site: 'isp-b', addresses: ['203.0.113.7'] });
  await addBox(plane, 'isp-c-1', { site: 'isp-c', addresses: ['198.51.100.2', '2001:db8:c::1'] });
  await addBox(plane, 'other-1', { site: 'other', addresses: ['198.51.100.3'] });
  await tellRoutes(box, tableOf('203.0.113.0/24', '2001:db8:a::/48'));
  const missing = async (): Promise<readonly string[]> => {
    const { findings } = (await plane.call('GET /v1/routes/lint?appliance=isp-a-1')).as(RouteLint);
    return findings.find(({ fault }) => fault === 'no-route-to-site')?.examples ?? [];
  };
  t.same(await missing(), [], 'nobody has said whose sites these are');
  for (const site of ['isp-a', 'isp-b', 'isp-c'])
    await plane.call(`PATCH /v1/fill/sites/${site}`, { body: { partner: 'isp' } });
  t.same(await missing(), ['isp-c'], 'of isp-b one box is reached');
  await tellRoutes(box, tableOf('203.0.113.0/24', '2001:db8::/32'));
  t.same(await missing(), [], 'by either family');
});

/** Routes of a partner that has lost control of itself. */
function floodOf(count: number): NamedRouteTable {
  const builder = createRouteTableBuilder();
  for (let index = 0; index < count; index++) {
    const word = (0x0a000000 + index * 64) >>> 0;
    builder.add(
      { address: { family: 4, words: [word] }, length: 26 },
      { classOrder: 0, asPathLength: 1, med: 0 },
    );
  }
  return nameRouteTable(builder.build());
}

t.test('a flood is capped, told to the box and to operators; others are not affected', async (t) => {
  const plane = await startPlane(t);
  const [box, other] = [await addBox(plane, 'isp-a-1'), await addBox(plane, 'isp-a-2')];
  await plane.call('PATCH /v1/routes/sites/isp-a', { body: { routesMax: 1000 } });
  await tellRoutes(other, tableOf('203.0.113.0/24'));
  const reply = await tellRoutes(box, floodOf(2_000_000));
  t.match(reply.json, { routes: 1000, refused: [{ refusal: 'over-limit', count: 1_999_000 }] });
  await box.beat({ routes: undefined });
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, {
    routeCount: 1000,
    reasons: [/ROUTES_CAPPED: 1999000/],
  });
  t.match((await plane.call('GET /v1/routes/lint?appliance=isp-a-1')).json, {
    findings: [{ fault: 'over-limit' }],
  });
  t.match(await show(plane, '?appliance=isp-a-2'), { routes: [{ prefix: '203.0.113.0/24' }] });
  t.match(await tellRoutes(box, floodOf(2_000_001)), { status: 400, json: { code: 'ROUTE_TABLE_INVALID' } });
});

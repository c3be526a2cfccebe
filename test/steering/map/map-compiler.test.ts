import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { documentTypes, type Route } from '../../../common/contract/documents.ts';
import { decodeRouteTable } from '../../../common/core/route-table-codec.ts';
import { encodeRouteTableDelta, nameRouteTable } from '../../../common/core/route-table-delta.ts';
import { valueOf } from '../../../common/runtime/errors.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import {
  createMapCompiler,
  type CompiledParts,
  type MapCompiler,
  type SignedMap,
} from '../../../steering/map/map-compiler.ts';
import { startMapThread } from '../../../steering/map/map-thread.ts';
import { openTableStore } from '../../../steering/map/table-store.ts';
import { appliance, mapOf, route, wireOf, type TestMap } from '../../support/steering-maps.ts';

const key = generateKey();
const times = { issuedAtMs: 1_000, notAfterMs: 9e12 };

async function signed(map: TestMap, sequence: number): Promise<SignedMap> {
  const document = { audience: 'steering', sequence, body: wireOf(map).body, ...times };
  const jws = await signDocument(documentTypes.steeringMap, document, key);
  return { jws, key: key.publicKey, demands: { audience: 'steering', sequenceMin: 0, nowMs: 2_000 } };
}

/** Gives a compiler all tables of a map that it asks for, whole. */
async function feed(compiler: MapCompiler, map: TestMap, sequence: number): Promise<string[]> {
  const { tables } = wireOf(map);
  const { missing } = await compiler.open(await signed(map, sequence));
  for (const { name } of missing)
    await compiler.take(name, await packRouteTable(tables.get(name) ?? Buffer.of()));
  return missing.map(({ name }) => name);
}

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'map-tables-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'tables');
}

const first = mapOf([
  appliance('a'),
  appliance('b', { routes: [route('10.1.0.0/16'), route('2001:db8::/32')] }),
]);
const second = mapOf([appliance('a'), appliance('b', { routes: [route('10.1.0.0/16')] })]);

const imageOf = (folder: string): string => join(folder, '..', 'routes');

const compilers = {
  here: async (folder: string) => ({
    ...createMapCompiler(await openTableStore(folder, 1e6)),
    close: () => Promise.resolve(),
  }),
  'in a thread': (folder: string) =>
    Promise.resolve(startMapThread({ folder, bytesMax: 1e6, image: imageOf(folder) })),
};

for (const [where, make] of Object.entries(compilers)) {
  t.test(`${where}: tables are asked for once, and what is unchanged is left out`, async (t) => {
    const compiler = await make(await folderOf(t));
    t.teardown(() => compiler.close());
    t.equal((await feed(compiler, first, 1)).length, 3, 'two of routes, one of holdings');
    const parts = await compiler.compile();
    t.match(parts, { sequence: 1, appliances: [{ id: 'a' }, { id: 'b' }] });
    t.ok(parts.routes !== undefined && parts.holdings !== undefined);
    t.strictSame(await feed(compiler, first, 2), []);
    const again = await compiler.compile();
    t.strictSame([again.sequence, again.routes, again.holdings], [2, undefined, undefined]);
    const opened = await compiler.open(await signed(second, 3));
    const from = wireOf(first).body.appliances[1]?.routeTable?.name;
    t.match(opened.missing, [{ kind: 'routes', from }], 'a difference to what it had will do');
  });

  t.test(`${where}: more appliances than are told at once all come, in their order`, async (t) => {
    const compiler = await make(await folderOf(t));
    t.teardown(() => compiler.close());
    const boxes = Array.from({ length: 200 }, (_, at) => appliance(`box-${at}`, { routes: [] }));
    await feed(compiler, mapOf(boxes), 1);
    const { appliances } = await compiler.compile();
    t.strictSame(
      appliances.map(({ id }) => id),
      boxes.map(({ id }) => id),
    );
  });

  t.test(`${where}: a difference gives the table, and one to an unknown table is refused`, async (t) => {
    const compiler = await make(await folderOf(t));
    t.teardown(() => compiler.close());
    await feed(compiler, first, 1);
    await compiler.compile();
    const { missing } = await compiler.open(await signed(second, 2));
    const { name = '', from = '' } = missing[0] ?? {};
    const tableOf = (map: TestMap, of: string) =>
      nameRouteTable(valueOf(decodeRouteTable(wireOf(map).tables.get(of) ?? Buffer.of(), { routesMax: 10 })));
    const delta = await packRouteTable(encodeRouteTableDelta(tableOf(first, from), tableOf(second, name)));
    await compiler.take(name, delta);
    t.match(await compiler.compile(), { sequence: 2, routes: { defaultsDropped: 0 } });
    const stranger = await packRouteTable(encodeRouteTableDelta(tableOf(second, name), tableOf(first, from)));
    await t.rejects(compiler.take('0'.repeat(64), stranger), { code: 'ROUTE_TABLE_MISMATCH' });
    const lost = await make(await folderOf(t));
    t.teardown(() => lost.close());
    await t.rejects(lost.take(name, delta), { code: 'ROUTE_TABLE_UNKNOWN' });
  });

  t.test(`${where}: what is not of its name, not whole or not there is refused with its code`, async (t) => {
    const folder = await folderOf(t);
    const compiler = await make(folder);
    t.teardown(() => compiler.close());
    const { missing } = await compiler.open(await signed(first, 1));
    const name = missing[0]?.name ?? '';
    await t.rejects(compiler.take(name, await packRouteTable(Buffer.from('other'))), {
      code: 'ROUTE_TABLE_MISMATCH',
    });
    await t.rejects(compiler.take(name, Buffer.from('junk')), { code: 'ROUTE_TABLE_INVALID' });
    await t.rejects(compiler.compile(), { code: 'ROUTE_TABLE_UNKNOWN' });
    await t.rejects(compiler.open({ ...(await signed(first, 1)), key: generateKey().publicKey }), {
      code: 'SIGNATURE_INVALID',
    });
    t.strictSame(await readdir(folder), []);
  });

  t.test(`${where}: a table that is damaged on disk is refused, deleted and asked for again`, async (t) => {
    const folder = await folderOf(t);
    const before = await make(folder);
    await feed(before, first, 1);
    await before.compile();
    await before.close();
    const [file = ''] = await readdir(folder);
    const path = join(folder, file);
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0, bytes.length >> 1));
    const compiler = await make(folder);
    t.teardown(() => compiler.close());
    t.strictSame((await compiler.open(await signed(first, 1))).missing, []);
    await t.rejects(compiler.compile(), { code: 'ROUTE_TABLE_MISMATCH' });
    t.strictSame(await feed(compiler, first, 1), [file.replace('.zst', '')]);
    t.equal((await compiler.compile()).sequence, 1);
  });
}

t.test(
  'of what is past it is kept how it differs from what came, for those who ask about then',
  async (t) => {
    const folder = await folderOf(t);
    const routes = Array.from({ length: 500 }, (_, at) => route(`10.${at >> 8}.${at & 255}.0/24`));
    const mapOfRoutes = (more: readonly Route[]) =>
      mapOf([appliance('a', { routes: [...routes, ...more] }), appliance('b', { routes })]);
    const [before, after] = [mapOfRoutes([route('11.0.0.0/8')]), mapOfRoutes([route('12.0.0.0/8')])];
    const compiler = createMapCompiler(await openTableStore(folder, 1e9));
    for (const [at, map] of [before, after].entries()) {
      await feed(compiler, map, at + 1);
      await compiler.compile();
    }
    await compiler.write();
    const later = await openTableStore(folder, 1e9);
    for (const [name, bytes] of wireOf(before).tables)
      t.ok(Buffer.from(bytes).equals((await later.read(name)) ?? Buffer.of()), name);
    const past = (await readdir(folder)).filter((file) => file.split('.').length === 3);
    t.equal(past.length, 1, 'the one that changed; the holdings did not, nor did what another box still has');
    t.equal((await feed(compiler, before, 3)).length, 1, 'one that comes back is asked for');
    await compiler.compile();
    await compiler.write();
  },
);

t.test(
  'of a map like the one before only the tables that differ are read, unless one of those is lost',
  async (t) => {
    const folder = await folderOf(t);
    const many = Array.from({ length: 50 }, (_, at) => route(`10.${at}.0.0/16`));
    const mapWith = (last: readonly Route[]) =>
      mapOf([
        appliance('a', { routes: many }),
        appliance('b', { routes: many }),
        appliance('c', { routes: last }),
      ]);
    const maps = [[route('11.0.0.0/8')], [route('12.0.0.0/8')], [route('13.0.0.0/8')]].map(mapWith);
    const tableOf = (map: TestMap | undefined, box: number): string =>
      map === undefined ? '' : (wireOf(map).body.appliances[box]?.routeTable?.name ?? '');
    const lose = (name: string): Promise<void> => rm(join(folder, `${name}.zst`));
    const compiler = createMapCompiler(await openTableStore(folder, 1e9));
    await feed(compiler, maps[0] ?? first, 1);
    await compiler.compile();
    await lose(tableOf(maps[0], 0));
    const { missing } = await compiler.open(await signed(maps[1] ?? first, 2));
    t.equal(missing.length, 2, 'the one that was lost, and the one that is new');
    const came = tableOf(maps[1], 2);
    await compiler.take(came, await packRouteTable(wireOf(maps[1] ?? first).tables.get(came) ?? Buffer.of()));
    const { routes } = await compiler.compile();
    t.strictSame(routes?.[4].index, (await compiledAlone(t, maps[1] ?? first)).routes?.[4].index);
    await lose(came);
    await feed(compiler, maps[2] ?? first, 3);
    const whole = await compiler.compile();
    t.strictSame(whole.routes?.[4].index, (await compiledAlone(t, maps[2] ?? first)).routes?.[4].index);
  },
);

t.test('where there is no room, tables that the map does not name go', async (t) => {
  const store = await openTableStore(await folderOf(t), 1);
  const tables = [...wireOf(first).tables];
  for (const [name, bytes] of tables) await store.write(name, bytes);
  const [kept = ''] = tables[1] ?? [];
  await store.prune(new Set([kept]));
  t.strictSame(await Promise.all(tables.map(([name]) => store.has(name))), [false, true, false]);
});

t.test('routes that were merged before are not merged again, and others are', async (t) => {
  const folder = await folderOf(t);
  const start = { folder, bytesMax: 1e6, image: imageOf(folder) };
  const before = startMapThread(start);
  await feed(before, first, 1);
  const { routes } = await before.compile();
  await before.write();
  await before.close();
  // Without its tables a map can only be compiled of what was merged of them.
  for (const { routeTable } of wireOf(first).body.appliances)
    await rm(join(folder, `${routeTable?.name}.zst`), { force: true });
  const after = startMapThread(start);
  t.teardown(() => after.close());
  t.equal((await after.open(await signed(first, 1))).missing.length, 2);
  t.strictSame((await after.compile()).routes, routes);
  await feed(after, second, 2);
  t.strictSame(
    (await after.compile()).routes?.[4].entries,
    (await compiledAlone(t, second)).routes?.[4].entries,
  );
});

async function compiledAlone(t: Test, map: TestMap): Promise<CompiledParts> {
  const compiler = createMapCompiler(await openTableStore(await folderOf(t), 1e6));
  await feed(compiler, map, 2);
  return compiler.compile();
}

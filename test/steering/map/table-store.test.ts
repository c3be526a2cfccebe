import { randomBytes } from 'node:crypto';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { nameOfRouteBytes } from '../../../common/core/route-table-codec.ts';
import { packDifference, unpackDifference } from '../../../common/runtime/route-table-packing.ts';
import { openTableStore } from '../../../steering/map/table-store.ts';

const folderOf = (t: Test): string => join(t.testdir(), 'tables');

/** Tables of one box, each a byte different from the one before; nothing in one can be guessed. */
function tablesOf(count: number, bytes = 5000): { name: string; bytes: Buffer }[] {
  let table = randomBytes(bytes);
  return Array.from({ length: count }, (_, at) => {
    table = Buffer.from(table);
    table.writeUInt16BE(at, (7 * at) % (bytes - 2));
    return { name: nameOfRouteBytes(table), bytes: table };
  });
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map((file) => stat(join(folder, file))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

t.test('what is past is kept as a difference, and read as it was; also by who opens it later', async (t) => {
  const folder = folderOf(t);
  const store = await openTableStore(folder, 1e9);
  const tables = tablesOf(40);
  for (const [at, { name, bytes }] of tables.entries()) {
    await store.write(name, bytes);
    const before = tables[at - 1];
    if (before !== undefined) await store.supersede(before.name, name);
  }
  const whole = 5000;
  t.ok((await bytesIn(folder)) < 3 * whole, 'one in 33 is whole, and the last');
  for (const opened of [store, await openTableStore(folder, 1e9)]) {
    for (const { name, bytes } of tables) t.ok(bytes.equals((await opened.read(name)) ?? Buffer.of()), name);
    t.equal(await opened.has(tables[38]?.name ?? ''), false, 'a map in force is to have it whole');
    t.equal(await opened.has(tables[39]?.name ?? ''), true);
  }
});

t.test('one that comes back is whole again, and they go round in no circle', async (t) => {
  const store = await openTableStore(folderOf(t), 1e9);
  const [one, two] = tablesOf(2);
  if (one === undefined || two === undefined) throw new TypeError('two were made');
  for (let turn = 0; turn < 40; turn++) {
    const [came, went] = turn % 2 === 0 ? [one, two] : [two, one];
    await store.write(came.name, came.bytes);
    await store.supersede(went.name, came.name);
    t.equal(await store.has(came.name), true);
  }
  for (const { name, bytes } of [one, two]) t.ok(bytes.equals((await store.read(name)) ?? Buffer.of()));
});

t.test('tables that have nothing in common stay whole; nothing comes of what is not there', async (t) => {
  const store = await openTableStore(folderOf(t), 1e9);
  const [[one], [other], [absent]] = [tablesOf(1), tablesOf(1), tablesOf(1)];
  for (const table of [one, other]) await store.write(table?.name ?? '', table?.bytes ?? Buffer.of());
  await store.supersede(one?.name ?? '', other?.name ?? '');
  t.equal(await store.has(one?.name ?? ''), true);
  await store.supersede(one?.name ?? '', absent?.name ?? '');
  await store.supersede(absent?.name ?? '', one?.name ?? '');
  t.equal(await store.has(one?.name ?? ''), true);
  t.equal(await store.read(absent?.name ?? ''), undefined);
});

t.test('a difference that is damaged, or whose base is gone, is no table', async (t) => {
  const folder = folderOf(t);
  const store = await openTableStore(folder, 1e9);
  const [one, two, three] = tablesOf(3).map(({ name, bytes }) => ({ name, bytes }));
  if (one === undefined || two === undefined || three === undefined) throw new TypeError('three were made');
  for (const { name, bytes } of [one, two, three]) await store.write(name, bytes);
  await store.supersede(one.name, two.name);
  await store.supersede(two.name, three.name);
  await writeFile(join(folder, `${two.name}.${three.name}.zst`), 'rot');
  await t.rejects(store.read(two.name), { code: 'ROUTE_TABLE_MISMATCH' });
  t.equal(await store.read(two.name), undefined, 'it is deleted');
  t.equal(await store.read(one.name), undefined, 'and what hung on it is gone with it');
});

t.test('the oldest go first where there is no room, whole or not, and none that is kept', async (t) => {
  const folder = folderOf(t);
  const [one, two, three] = tablesOf(3).map(({ name, bytes }) => ({ name, bytes }));
  if (one === undefined || two === undefined || three === undefined) throw new TypeError('three were made');
  const first = await openTableStore(folder, 1e9);
  for (const { name, bytes } of [one, two, three]) await first.write(name, bytes);
  await first.supersede(one.name, two.name);
  await utimes(join(folder, `${two.name}.zst`), new Date(2), new Date(2));
  await utimes(join(folder, `${one.name}.${two.name}.zst`), new Date(1), new Date(1));
  const keep = new Set([three.name]);
  const roomy = await openTableStore(folder, 5 * 4096 - 1);
  await roomy.prune(keep);
  t.equal(
    (await readdir(folder)).length,
    2,
    'the difference was the oldest, and takes a block as all files do',
  );
  const narrow = await openTableStore(folder, 1);
  await narrow.prune(keep);
  t.strictSame(await readdir(folder), [`${three.name}.zst`]);
});

t.test('whatever two tables are, the difference gives the one again', async (t) => {
  const bytes = fc.uint8Array({ maxLength: 4000 });
  await fc.assert(
    fc.asyncProperty(bytes, bytes, async (table, base) => {
      const back = await unpackDifference(await packDifference(table, base), base);
      return back.equals(table);
    }),
    { numRuns: 50 },
  );
  await t.rejects(unpackDifference(Buffer.from('junk'), Buffer.of()), { code: 'ROUTE_TABLE_INVALID' });
});

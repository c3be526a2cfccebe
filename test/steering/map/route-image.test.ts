import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { encodeRouteTable, openRouteBytes } from '../../../common/core/route-table-codec.ts';
import { openRouteImage, packRouteImage } from '../../../steering/core/route-image.ts';
import { buildRouteMap, type BuiltRoutes } from '../../../steering/core/route-map.ts';
import { createRouteImageFile } from '../../../steering/map/route-image-file.ts';
import { routesArb, tableOf, type TestRoute } from '../../support/route-tables.ts';

const name = 'ab'.repeat(32);
const other = 'cd'.repeat(32);

function mapOf(announced: readonly (readonly TestRoute[])[]): BuiltRoutes {
  const tables = announced.map((routes, at) => {
    const opened = openRouteBytes(encodeRouteTable(tableOf(routes)), { routesMax: 1000 });
    if (!opened.ok) throw new TypeError(opened.detail);
    return { routes: opened.value, owners: [at] };
  });
  const built = buildRouteMap(tables);
  if (!built.ok) throw new TypeError(built.detail);
  return built.value;
}

const route = (word: number, length: number): TestRoute => [
  { address: { family: 4, words: [word] }, length },
  { classOrder: 1, asPathLength: 2, med: 3 },
];
const few = mapOf([[route(10 * 2 ** 24, 8), route(10 * 2 ** 24, 24)], [route(0, 0)]]);

async function pathIn(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'route-image-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'routes');
}

async function write(path: string): Promise<void> {
  const file = createRouteImageFile(path);
  file.keep(few, name);
  await file.write();
}

t.test('routes come out of an image as they went in', (t) => {
  fc.assert(
    fc.property(fc.array(routesArb, { maxLength: 6 }), (announced) => {
      const routes = mapOf(announced);
      t.strictSame(openRouteImage(packRouteImage(routes, name), name), routes);
    }),
  );
  t.end();
});

t.test('an image of another name, form or size is none', (t) => {
  const image = packRouteImage(few, name);
  const changed = (at: number): SharedArrayBuffer => {
    const bytes = new Uint8Array(new SharedArrayBuffer(image.byteLength));
    bytes.set(new Uint8Array(image));
    bytes[at] = (bytes[at] ?? 0) ^ 0x80;
    return bytes.buffer;
  };
  const cut = new Uint8Array(new SharedArrayBuffer(image.byteLength - 64));
  cut.set(new Uint8Array(image, 0, cut.length));
  t.equal(openRouteImage(image, other), undefined);
  for (const [what, at] of Object.entries({ magic: 0, 'byte order': 7, name: 20, length: 47 }))
    t.equal(openRouteImage(changed(at), name), undefined, what);
  t.equal(openRouteImage(cut.buffer, name), undefined, 'cut');
  t.equal(openRouteImage(new SharedArrayBuffer(3), name), undefined, 'nearly nothing');
  t.end();
});

t.test('what was written is read, by its name only', async (t) => {
  const path = await pathIn(t);
  t.equal(await createRouteImageFile(path).read(name), undefined, 'nothing is there yet');
  await write(path);
  t.strictSame(await createRouteImageFile(path).read(name), few);
  t.equal(await createRouteImageFile(path).read(other), undefined);
  t.strictSame(await readdir(join(path, '..')), ['routes'], 'nothing else is left');
});

t.test('what was not kept anew is not written again', async (t) => {
  const path = await pathIn(t);
  const file = createRouteImageFile(path);
  await file.write();
  t.strictSame(await readdir(join(path, '..')), []);
  file.keep(few, name);
  await file.write();
  await rm(path);
  await file.write();
  t.strictSame(await readdir(join(path, '..')), []);
});

t.test('a file that is damaged anywhere, cut or longer is not read', async (t) => {
  const path = await pathIn(t);
  await write(path);
  const bytes = await readFile(path);
  for (let at = 0; at < bytes.length; at += 37) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    await writeFile(path, damaged);
    t.equal(await createRouteImageFile(path).read(name), undefined, `byte ${at}`);
  }
  for (const wrong of [bytes.subarray(0, 10), bytes.subarray(0, -1), Buffer.concat([bytes, bytes])]) {
    await writeFile(path, wrong);
    t.equal(await createRouteImageFile(path).read(name), undefined, `${wrong.length} bytes`);
  }
});

// `prepare.ts FOLDER PREFIXES4 PREFIXES6 APPLIANCES`: writes what a steering node has on its disk: a signed map, the tables that it
// names, and a second map in which one box's routes and many boxes' headroom are others. In a process of its own, so that the
// memory that this takes is not measured.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  documentTypes,
  type SteeringAppliance,
  type SteeringMap,
} from '../../../common/contract/documents.ts';
import { encodeHoldings, holdingsRowBytes } from '../../../common/core/holdings-codec.ts';
import { nameOfRouteBytes, openRouteBytes } from '../../../common/core/route-table-codec.ts';
import { valueOf } from '../../../common/runtime/errors.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import { pick, seededRandom } from '../../support/seeded.ts';
import { bundleAt, bundleCount, makeClients, makePrefixes, makeTables, siteOf } from './world.ts';

const [folder = '', ...sizes] = process.argv.slice(2);
const [prefixes4 = 0, prefixes6 = 0, appliances = 0] = sizes.map(Number);
const size = { prefixes4, prefixes6, appliances };
const random = seededRandom(9);
const prefixes = makePrefixes(size);
const tables = makeTables(size, prefixes);
const key = generateKey();

async function store(bytes: Uint8Array): Promise<string> {
  const name = nameOfRouteBytes(bytes);
  await writeFile(join(folder, 'map-tables', `${name}.zst`), await packRouteTable(bytes));
  return name;
}

function applianceOf(index: number, name: string, bytes: Uint8Array): SteeringAppliance {
  const { site, open } = siteOf(size, index);
  const { counts } = valueOf(openRouteBytes(bytes, { routesMax: 2_000_000 }));
  return {
    id: `${site}-box-${index}`,
    ...{ role: 'appliance', site, cluster: site, url: `https://box-${index}.test` },
    addresses: [`192.0.${index >>> 8}.${index & 255}`, `2001:db8::${(index + 1).toString(16)}`],
    ...{ weight: 1, headroom: 0.4 + random() / 2, state: 'ready', reasons: [] },
    routeTable: { name, count: counts[4] + counts[6], open },
  };
}

async function holdingsOf(boxes: number): Promise<NonNullable<SteeringMap['holdings']>> {
  const bundles = Array.from({ length: bundleCount }, (_, at) => bundleAt(at)).sort();
  const rowBytes = holdingsRowBytes(boxes);
  const bits = new Uint8Array(bundleCount * rowBytes);
  for (let row = 0; row < bundleCount; row++) {
    // Nine boxes in ten hold a title, for a title that is asked for is mostly there.
    for (let box = 0; box < boxes; box++)
      if (random() < 0.9) bits[row * rowBytes + (box >>> 3)]! |= 1 << (box & 7);
  }
  return { name: await store(encodeHoldings(bundles, boxes, { bits })), count: bundleCount };
}

async function write(file: string, sequence: number, body: SteeringMap): Promise<void> {
  const times = { issuedAtMs: 1_000, notAfterMs: 9e12 };
  const document = { audience: 'steering', sequence, body, ...times };
  await writeFile(join(folder, file), await signDocument(documentTypes.steeringMap, document, key));
}

await mkdir(join(folder, 'map-tables'), { recursive: true });
const names = new Map<Uint8Array, string>();
for (const bytes of new Set(tables)) names.set(bytes, await store(bytes));
const boxes = tables.map((bytes, index) => applianceOf(index, names.get(bytes) ?? '', bytes));
boxes.push({ ...applianceOf(0, '', tables[0] ?? Buffer.of()), id: 'origin', role: 'origin', site: 'origin', cluster: 'origin' }); // prettier-ignore
delete boxes.at(-1)?.routeTable;
const revocations = { sessions: [], bundles: [] };
const first: SteeringMap = { appliances: boxes, holdings: await holdingsOf(boxes.length), revocations };
await write('steering-map.jws', 1, first);
const moved = boxes.map((box) => ({ ...box, headroom: random() }));
const [one, other] = [moved[0], moved[pick(random, boxes.length - 2)]];
if (one?.routeTable !== undefined && other?.routeTable !== undefined) one.routeTable = other.routeTable;
await write('second-map.jws', 2, { ...first, appliances: moved });
for (const family of [4, 6] as const) {
  for (const name of ['random', 'skewed'])
    await writeFile(join(folder, `clients-${family}-${name}`), makeClients(prefixes[family], name === 'skewed')); // prettier-ignore
}
await writeFile(join(folder, 'key.json'), JSON.stringify(key.publicJwk));

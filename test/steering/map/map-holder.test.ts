import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { documentTypes } from '../../../common/contract/documents.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import { rankPolicyDefault, rankQueryOf, rankStateOf } from '../../../steering/core/rank.ts';
import { Ranker } from '../../../steering/core/ranker.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { createMapHolder, type FetchTable, type MapHolder } from '../../../steering/map/map-holder.ts';
import { startMapThread } from '../../../steering/map/map-thread.ts';
import { createMapSnapshot } from '../../../steering/map/snapshot.ts';
import {
  address,
  appliance,
  bundleOf,
  mapOf,
  route,
  wireOf,
  type TestAppliance,
  type TestMap,
} from '../../support/steering-maps.ts';

const key = generateKey();

interface Held {
  readonly holder: MapHolder;
  readonly folder: string;
  readonly views: SteeringView[];
  readonly maps: string[];
  /** Whether the disk gives the tables that are to be merged. */
  readonly faults: { canMerge: boolean };
}

/** A holder that compiles in a thread, as for large maps; with all that it showed. */
async function startHolder(t: Test): Promise<Held> {
  const folder = await mkdtemp(join(tmpdir(), 'map-holder-'));
  const thread = startMapThread({
    folder: join(folder, 'tables'),
    bytesMax: 1e6,
    image: join(folder, 'routes'),
  });
  t.teardown(async () => {
    await thread.close();
    await rm(folder, { recursive: true, force: true });
  });
  const log = createSilentLog();
  const views: SteeringView[] = [];
  const maps: string[] = [];
  const faults = { canMerge: true };
  const compile = () =>
    faults.canMerge ? thread.compile() : Promise.reject(coded('ROUTE_TABLE_UNKNOWN', 'the disk fails'));
  const holder = createMapHolder({
    ...{ compiler: { ...thread, compile }, log, clock: createSystemClock() },
    snapshot: createMapSnapshot(join(folder, 'map.jws'), log),
    findKey: () => key.publicKey,
    onView: (view) => views.push(view),
    onMap: (jws) => maps.push(jws),
    onRefused: () => undefined,
  });
  return { holder, folder, views, maps, faults };
}

async function take(
  { holder }: Held,
  map: TestMap,
  { sequence, fetchTable }: { sequence: number; fetchTable?: FetchTable },
): Promise<boolean> {
  return holder.take(await sign(map, sequence), fetchTable ?? fetchOf(map));
}

function sign(map: TestMap, sequence: number): Promise<string> {
  const times = { issuedAtMs: 1_000, notAfterMs: 9e12 };
  const document = { audience: 'steering', sequence, body: wireOf(map).body, ...times };
  return signDocument(documentTypes.steeringMap, document, key);
}

function fetchOf(map: TestMap): FetchTable {
  const { tables } = wireOf(map);
  return ({ name }) => packRouteTable(tables.get(name) ?? Buffer.of());
}

/** Who serves a client under a view, best first. */
function waysUnder(view: SteeringView | undefined, client: string): string[] {
  if (view === undefined) return [];
  const ranker = new Ranker(view, rankPolicyDefault);
  const query = rankQueryOf(view, { client: address(client), bundle: bundleOf('0') });
  ranker.rank(query, rankStateOf(view, new Map(), rankPolicyDefault.headroomMin));
  return [...ranker.ways.subarray(0, ranker.wayCount)].map(
    (slot) => view.appliances[ranker.appliances[slot] ?? -1]?.id ?? '',
  );
}

const gone = '0'.repeat(32);
const wide = [route('10.0.0.0/8')];
const boxes = (...more: Partial<TestAppliance>[]): TestMap =>
  mapOf(['a', 'b', 'c'].map((id, at) => appliance(id, { routes: wide, ...more[at] })));

t.test('what needs no merging of routes is in force before they are merged', async (t) => {
  const held = await startHolder(t);
  const { views, maps } = held;
  await take(held, boxes(), { sequence: 1 });
  t.equal(views.length, 1, 'the first map comes whole');
  t.equal(waysUnder(views[0], '10.1.1.1').length, 3);
  // One has lost its routes, one drains, and one reaches more.
  const next = boxes(
    { routes: [] },
    { state: 'draining', reasons: ['drain'] },
    { routes: [...wide, route('11.0.0.0/8')] },
  );
  await take(held, { ...next, revocations: { sessions: [gone], bundles: [] } }, { sequence: 2 });
  const [before, early, whole] = views;
  t.equal(views.length, 3);
  t.equal(maps.length, 2, 'it is one map');
  t.equal(early?.sequence, 2);
  t.equal(early?.routes, before?.routes, 'the routes are still those before');
  t.ok(early?.revokedSessions.has(gone));
  t.strictSame(waysUnder(early, '10.1.1.1'), ['c'], 'who has no routes is not sent viewers by those it had');
  t.strictSame(waysUnder(early, '11.1.1.1'), ['a'], 'and what is new is not known yet');
  t.not(whole?.routes, before?.routes);
  t.match(waysUnder(whole, '10.1.1.1')[0], 'c');
  t.match(waysUnder(whole, '11.1.1.1')[0], 'c');
});

t.test('a map with the same routes comes at once, and so does one of other boxes', async (t) => {
  const held = await startHolder(t);
  await take(held, boxes(), { sequence: 1 });
  await take(held, boxes({ state: 'draining', reasons: ['drain'] }), { sequence: 2 });
  t.equal(held.views.length, 2);
  await take(held, mapOf([appliance('a'), appliance('d', { routes: [route('12.0.0.0/8')] })]), {
    sequence: 3,
  });
  t.equal(held.views.length, 3);
  t.strictSame(waysUnder(held.views[2], '12.1.1.1'), ['d']);
});

t.test('where the routes cannot be merged the map before is in force again', async (t) => {
  const held = await startHolder(t);
  await take(held, boxes(), { sequence: 1 });
  const next = boxes({ routes: [] }, { routes: [route('11.0.0.0/8')] });
  const { tables } = wireOf(next);
  // By then the thread knows what it holds; a table goes under its feet.
  const losing: FetchTable = async ({ name }) => {
    const tablesHeld = join(held.folder, 'tables');
    for (const file of await readdir(tablesHeld)) await rm(join(tablesHeld, file));
    return packRouteTable(tables.get(name) ?? Buffer.of());
  };
  await t.rejects(take(held, next, { sequence: 2, fetchTable: losing }));
  t.equal(held.holder.sequence(), 1);
  t.equal(waysUnder(held.holder.view(), '10.1.1.1').length, 3);
  t.equal(await take(held, boxes({ routes: [] }), { sequence: 3 }), true);
  t.strictSame(waysUnder(held.holder.view(), '10.1.1.1').toSorted(), ['a', 'b', 'c']);
});

t.test('a map whose routes cannot be merged is tried again, and shown without them once', async (t) => {
  const held = await startHolder(t);
  await take(held, boxes(), { sequence: 1 });
  const next = boxes({ routes: [] }, { routes: [route('11.0.0.0/8')] });
  const jws = await sign(next, 2);
  const sequences = (): number[] => held.views.map(({ sequence }) => sequence);
  held.faults.canMerge = false;
  for (const attempt of ['first', 'second']) {
    await t.rejects(held.holder.take(jws, fetchOf(next)), { code: 'ROUTE_TABLE_UNKNOWN' }, attempt);
    t.strictSame(sequences(), [1, 2, 1], attempt);
  }
  held.faults.canMerge = true;
  t.equal(await held.holder.take(jws, fetchOf(next)), true);
  t.strictSame(sequences(), [1, 2, 1, 2]);
  t.equal(waysUnder(held.holder.view(), '11.1.1.1')[0], 'b');
});

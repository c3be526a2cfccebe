import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
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
import {
  createMapCompiler,
  type CompiledParts,
  type MapCompiler,
} from '../../../steering/map/map-compiler.ts';
import { createMapHolder, type FetchTable, type MapHolder } from '../../../steering/map/map-holder.ts';
import { startMapThread } from '../../../steering/map/map-thread.ts';
import { createMapSnapshot } from '../../../steering/map/snapshot.ts';
import { openTableStore } from '../../../steering/map/table-store.ts';
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
  readonly refused: string[];
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
  const faults = { canMerge: true };
  const compile = () =>
    faults.canMerge ? thread.compile() : Promise.reject(coded('ROUTE_TABLE_UNKNOWN', 'the disk fails'));
  return createHeld({ folder, compiler: { ...thread, compile }, faults });
}

function createHeld({
  folder,
  compiler,
  faults,
}: Pick<Held, 'folder' | 'faults'> & { compiler: MapCompiler }): Held {
  const log = createSilentLog();
  const views: SteeringView[] = [];
  const maps: string[] = [];
  const refused: string[] = [];
  const holder = createMapHolder({
    ...{ compiler, log, clock: createSystemClock() },
    snapshot: createMapSnapshot(join(folder, 'map.jws'), log),
    findKey: () => key.publicKey,
    onView: (view) => views.push(view),
    onMap: (jws) => maps.push(jws),
    onRefused: (code) => refused.push(code),
  });
  return { holder, folder, views, maps, refused, faults };
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
  t.strictSame(early?.routes, before?.routes, 'the routes are still those before');
  t.ok(early?.revokedSessions.has(gone));
  t.strictSame(waysUnder(early, '10.1.1.1'), ['c'], 'who has no routes is not sent viewers by those it had');
  t.strictSame(waysUnder(early, '11.1.1.1'), ['a'], 'and what is new is not known yet');
  t.not(whole?.routes, before?.routes);
  t.match(waysUnder(whole, '10.1.1.1')[0], 'c');
  t.match(waysUnder(whole, '11.1.1.1')[0], 'c');
});

t.test(
  'a map with the same routes comes at once; one of other boxes says of those before how they are',
  async (t) => {
    const held = await startHolder(t);
    await take(held, boxes(), { sequence: 1 });
    await take(held, boxes({ state: 'draining', reasons: ['drain'] }), { sequence: 2 });
    t.equal(held.views.length, 2);
    const others = [appliance('a'), appliance('d', { routes: [route('12.0.0.0/8')] })];
    await take(held, mapOf(others, { bundles: [{ bundle: bundleOf('0'), holders: [1] }] }), { sequence: 3 });
    t.equal(held.views.length, 4);
    t.strictSame(waysUnder(held.views[2], '10.1.1.1'), ['a'], 'those that are not in it are out');
    t.strictSame(waysUnder(held.views[3], '10.1.1.1'), [], 'a does not hold it any more');
    t.strictSame(waysUnder(held.views[3], '12.1.1.1'), ['d']);
  },
);

/** A holder whose merges stop at each step until the test lets them go on. */
async function startStopping(t: Test): Promise<Held & { readonly stopped: Promise<void>; letGo(): void }> {
  const folder = await mkdtemp(join(tmpdir(), 'map-holder-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const stopped = Promise.withResolvers<void>();
  const latch = Promise.withResolvers<void>();
  let merges = 0;
  const pause = async (): Promise<void> => {
    // The first map is merged at once.
    if (merges === 0) return;
    stopped.resolve();
    await latch.promise;
  };
  const compiler = createMapCompiler(await openTableStore(join(folder, 'tables'), 1e6), { pause });
  const compile = async (): Promise<CompiledParts> => {
    const parts = await compiler.compile();
    merges++;
    return parts;
  };
  const held = createHeld({ folder, compiler: { ...compiler, compile }, faults: { canMerge: true } });
  return { ...held, stopped: stopped.promise, letGo: latch.resolve };
}

t.test(
  'while routes are merged, a box that is lost, drains or is gone in a newer map is out at once',
  async (t) => {
    const held = await startStopping(t);
    const { holder, views, maps } = held;
    await take(held, boxes(), { sequence: 1 });
    const routes = views[0]?.routes;
    const second = take(held, boxes({}, {}, { routes: [...wide, route('11.0.0.0/8')] }), { sequence: 2 });
    await held.stopped;
    const accepted = async (map: TestMap, sequence: number): Promise<Promise<boolean>[]> => {
      const jws = await sign(map, sequence);
      let taken: Promise<boolean> = Promise.resolve(false);
      await new Promise<void>((resolve) => {
        taken = holder.take(jws, fetchOf(map), resolve);
      });
      return [taken];
    };
    const third = await accepted(boxes({ routes: [], routeFeed: true }), 3);
    t.equal(holder.sequence(), 3);
    t.strictSame(waysUnder(holder.view(), '10.1.1.1').toSorted(), ['b', 'c'], 'its session is lost');
    t.strictSame(holder.view()?.routes, routes);
    const draining: Partial<TestAppliance> = { state: 'draining', reasons: ['drain'] };
    const others = mapOf([appliance('d', { routes: wide }), appliance('b', { routes: wide, ...draining })]);
    const fourth = await accepted(others, 4);
    t.strictSame(waysUnder(holder.view(), '10.1.1.1'), [], 'it drains, or is not in the map any more');
    // As in the first map: without a merge under way there would be nothing to be early for.
    const fifth = await accepted(
      { ...boxes({}, draining), revocations: { sessions: [gone], bundles: [] } },
      5,
    );
    t.strictSame(waysUnder(holder.view(), '10.1.1.1').toSorted(), ['a', 'c']);
    t.ok(holder.view()?.revokedSessions.has(gone));
    t.equal(maps.length, 1, 'no routes were merged yet');
    held.letGo();
    t.strictSame(
      await Promise.all([second, ...third, ...fourth, ...fifth]),
      [true, false, false, true],
      'only the newest is merged next',
    );
    t.strictSame(
      views.map(({ sequence }) => sequence),
      [1, 2, 3, 4, 5, 5, 5],
      'what is newer stays in force, with the routes as they come',
    );
    t.strictSame(waysUnder(views[5], '11.1.1.1'), ['c'], 'the routes that were being merged');
    t.strictSame(waysUnder(views[6], '11.1.1.1'), []);
    t.equal(maps.length, 2 + 1);
  },
);

t.test(
  'routes that are merged while a newer map is in force over other boxes lead nobody to those',
  async (t) => {
    const held = await startStopping(t);
    const { holder, views } = held;
    await take(held, boxes(), { sequence: 1 });
    // It moves all the others.
    const first = appliance('0', { routes: [route('11.0.0.0/8')] });
    const { appliances } = boxes();
    const second = take(held, mapOf([first, ...appliances]), { sequence: 2 });
    await held.stopped;
    const draining = mapOf([first, ...boxes({ state: 'draining', reasons: ['drain'] }).appliances]);
    const jws = await sign(draining, 3);
    let third: Promise<boolean> | undefined;
    await new Promise<void>((resolve) => {
      third = holder.take(jws, fetchOf(draining), resolve);
    });
    held.letGo();
    t.strictSame(await Promise.all([second, third]), [true, true]);
    t.strictSame(views.map(({ sequence }) => sequence), [1, 2, 3, 3]); // prettier-ignore
    const led = views.map((view) => waysUnder(view, '11.1.1.1').join());
    t.strictSame(led, ['', '', '', '0']);
  },
);

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

t.test('where routes do not fit, those before are kept under all else that the map says', async (t) => {
  const held = await startHolder(t);
  await take(held, boxes(), { sequence: 1 });
  const routes = held.views[0]?.routes;
  // A thousand boxes that reach the same prefixes, each prefix with another MED.
  const flood = Array.from({ length: 17_000 }, (_, at) =>
    route(`11.${at >>> 8}.${at & 255}.0/24`, { med: at }),
  );
  const flooding = Array.from({ length: 1000 }, (_, at) => appliance(`flood-${at}`, { routes: flood }));
  const { appliances } = boxes({}, { state: 'draining', reasons: ['drain'] });
  const next = mapOf([...appliances, ...flooding], { revocations: { sessions: [gone], bundles: [] } });
  t.equal(await take(held, next, { sequence: 2 }), true);
  t.equal(held.holder.sequence(), 2, 'it is not asked for again');
  t.strictSame(held.refused, ['ROUTES_TOO_MANY']);
  const view = held.holder.view();
  t.equal(view?.sequence, 2);
  t.strictSame(view?.routes, routes);
  t.ok(view?.revokedSessions.has(gone));
  t.strictSame(waysUnder(view, '10.1.1.1').toSorted(), ['a', 'c'], 'who drains is out');
  t.equal(held.maps.length, 1, 'the map whose routes fit is the one that is kept');
  t.match(await readFile(join(held.folder, 'map.jws'), 'utf8'), held.maps[0]);
  t.equal(await take(held, boxes({ routes: [route('12.0.0.0/8')] }), { sequence: 3 }), true);
  t.strictSame(waysUnder(held.holder.view(), '12.1.1.1')[0], 'a', 'a map whose routes fit comes whole');

  const empty = await startHolder(t);
  await t.rejects(take(empty, next, { sequence: 2 }), { code: 'ROUTES_TOO_MANY' });
  t.equal(empty.holder.sequence(), 0);
});

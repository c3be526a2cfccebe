import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { documentTypes } from '../../../common/contract/documents.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { createMapCompiler } from '../../../steering/map/map-compiler.ts';
import { createMapFollower, type MapSource } from '../../../steering/map/map-follower.ts';
import { createMapHolder } from '../../../steering/map/map-holder.ts';
import { createMapSnapshot } from '../../../steering/map/snapshot.ts';
import { openTableStore } from '../../../steering/map/table-store.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { appliance, mapOf, route, wireOf, type TestMap } from '../../support/steering-maps.ts';

const key = generateKey();

/** A control plane that is asked: it hands out its newest map, to those too who wait. */
function makeSource() {
  const tables = new Map<string, Uint8Array>();
  let newest: { sequence: number; jws: string } | undefined;
  const polls: { after: number; signal: AbortSignal }[] = [];
  let stir = Promise.withResolvers<void>();
  const wake = (): void => {
    stir.resolve();
    stir = Promise.withResolvers();
  };
  const source: MapSource = {
    async fetchMap({ after }, signal) {
      polls.push({ after, signal });
      wake();
      signal.addEventListener('abort', wake, { once: true });
      while ((newest?.sequence ?? 0) <= after) {
        signal.throwIfAborted();
        await stir.promise;
      }
      return newest?.jws;
    },
    fetchTable: ({ name }) => packRouteTable(tables.get(name) ?? Buffer.of()),
    refreshKeys: () => Promise.resolve(),
  };
  return {
    source,
    polls,
    async publish(map: TestMap, sequence: number): Promise<void> {
      const wire = wireOf(map);
      for (const [name, bytes] of wire.tables) tables.set(name, bytes);
      const document = {
        audience: 'steering',
        sequence,
        body: wire.body,
        issuedAtMs: 1_000,
        notAfterMs: 9e12,
      };
      newest = { sequence, jws: await signDocument(documentTypes.steeringMap, document, key) };
      wake();
    },
    /** Resolves with the poll after this map, once there are so many of those. */
    async polled(after: number, count = 1): Promise<AbortSignal> {
      for (;;) {
        const found = polls.filter((poll) => poll.after === after)[count - 1];
        if (found !== undefined) return found.signal;
        await stir.promise;
      }
    },
  };
}

/** A follower that runs; behind its first map each merge stops until the test lets it go on, or fail. */
async function startFollower(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'map-follower-'));
  const { log, said } = memoryLog();
  const control = makeSource();
  const latch = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  let merges = 0;
  const pause = async (): Promise<void> => {
    // The first map is merged at once.
    if (merges === 0) return;
    stopped.resolve();
    await latch.promise;
  };
  const compiler = createMapCompiler(await openTableStore(join(folder, 'tables'), 1e6), { pause });
  const views: SteeringView[] = [];
  let shown = Promise.withResolvers<void>();
  const holder = createMapHolder({
    compiler: {
      ...compiler,
      async compile() {
        const parts = await compiler.compile();
        merges++;
        return parts;
      },
    },
    ...{ clock: createSystemClock(), log, snapshot: createMapSnapshot(join(folder, 'map.jws'), log) },
    findKey: () => key.publicKey,
    onView(view) {
      views.push(view);
      shown.resolve();
      shown = Promise.withResolvers();
    },
    onMap: () => undefined,
    onRefused: () => undefined,
  });
  const chance = createSystemChance();
  const follower = createMapFollower({ source: control.source, holder, clock: createSystemClock(), chance, log, waitMs: 60_000 }); // prettier-ignore
  const ending = new AbortController();
  const done = follower.run(ending.signal);
  t.teardown(async () => {
    latch.resolve();
    ending.abort();
    await done;
    await rm(folder, { recursive: true, force: true });
  });
  const until = async (holds: (view: SteeringView) => boolean): Promise<SteeringView> => {
    for (;;) {
      const view = views.at(-1);
      if (view !== undefined && holds(view)) return view;
      await shown.promise;
    }
  };
  return { ...control, holder, follower, until, said, stopped: stopped.promise, letGo: latch.resolve, fail: latch.reject }; // prettier-ignore
}

const wide = [route('10.0.0.0/8')];
const more = [...wide, route('11.0.0.0/8')];

t.test('while routes are merged the next map is asked for, and in force', async (t) => {
  const { publish, polled, until, stopped, letGo, holder, follower } = await startFollower(t);
  await publish(mapOf([appliance('a', { routes: wide }), appliance('b', { routes: wide })]), 1);
  await until(({ sequence }) => sequence === 1);
  t.ok(follower.isConnected());
  await publish(mapOf([appliance('a', { routes: more }), appliance('b', { routes: wide })]), 2);
  await stopped;
  await polled(2);
  const draining = appliance('b', { routes: wide, state: 'draining', reasons: ['drain'] });
  await publish(mapOf([appliance('a', { routes: more }), draining]), 3);
  const early = await until(({ sequence }) => sequence === 3);
  t.equal(early.appliances[1]?.state, 'draining', 'although the routes of the second are not merged yet');
  await polled(3);
  t.equal(holder.sequence(), 3);
  letGo();
  const routes = early.routes;
  await until((view) => view.sequence === 3 && view.routes !== routes);
});

t.test(
  'a map whose routes turn out not to be mergeable ends the poll behind it, and is asked for again',
  async (t) => {
    const { publish, polled, until, stopped, fail, holder, said, follower } = await startFollower(t);
    await publish(mapOf([appliance('a', { routes: wide })]), 1);
    await until(({ sequence }) => sequence === 1);
    await publish(mapOf([appliance('a', { routes: more })]), 2);
    await stopped;
    const behind = await polled(2);
    t.notOk(behind.aborted);
    fail(coded('ROUTE_TABLE_UNKNOWN', 'the disk fails'));
    await polled(1, 2);
    t.ok(behind.aborted);
    t.ok(follower.isConnected(), 'the control plane is there all the same');
    t.equal(holder.view()?.sequence, 1);
    t.match(
      said.find(({ msg }) => msg === 'map refused: the one held stays'),
      { code: 'ROUTE_TABLE_UNKNOWN' },
    );
  },
);

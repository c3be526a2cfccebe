import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { BoxReport, PeerView } from '../../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../../common/contract/maintenance.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { flapPolicyDefault, calm, type FlapState } from '../../../steering/core/flap.ts';
import type { Family, NodeHealth, Observation } from '../../../steering/core/health.ts';
import { isSame } from '../../../steering/core/node-health.ts';
import {
  createMonitor,
  type Monitor,
  type MonitoredMap,
  type MonitorParts,
} from '../../../steering/monitor/monitor.ts';
import { createProber } from '../../../steering/monitor/prober.ts';

type Outcome = Observation['kind'] | 'drains';
const observations: Readonly<Record<Outcome, Observation>> = {
  ok: { kind: 'ok', draining: false, probeMs: 1 },
  drains: { kind: 'ok', draining: true, probeMs: 2 },
  failed: { kind: 'failed', reason: 'ECONNREFUSED' },
  blind: { kind: 'blind', reason: 'no way in the family' },
};

const ids = ['a', 'b', 'c', 'd'];
const peerIds = ['peer-1', 'peer-2'];
const target = (id: string, site: string): MonitoredMap['appliances'][number] => ({
  ...{ id, site, url: `http://${id}.test` },
  // Some are reached over one family only.
  addresses: { 4: ['192.0.2.1'], 6: id === 'a' ? [] : ['2001:db8::1'] },
});
const maps = [ids, ids.slice(0, 3), ids.toReversed()].map((named, at): Omit<MonitoredMap, 'maintenance'> => ({
  sequence: at + 1,
  appliances: named.map((id, place) => target(id, `site-${place % 2}`)),
  steering: [],
}));

type Step =
  | { readonly kind: 'probes'; readonly id: string; readonly family: Family; readonly outcome: Outcome }
  | { readonly kind: 'all'; readonly outcome: Outcome }
  | { readonly kind: 'report'; readonly id: string; readonly headroom: number; readonly isUnwell: boolean }
  | { readonly kind: 'silence'; readonly id: string }
  | { readonly kind: 'peer'; readonly view: PeerView }
  | { readonly kind: 'lost'; readonly node: string }
  | { readonly kind: 'map'; readonly at: number; readonly window: MaintenanceWindow | undefined }
  | { readonly kind: 'flaps'; readonly ids: readonly string[] }
  | { readonly kind: 'time'; readonly ms: number };

const anyId = fc.constantFrom(...ids);
const anyOutcome = fc.constantFrom<Outcome>('ok', 'ok', 'failed', 'failed', 'drains', 'blind');
const anyVote = fc.record(
  {
    id: anyId,
    v4: fc.constantFrom('up', 'down', 'damped', 'unknown'),
    v6: fc.constantFrom('up', 'down'),
    why: fc.constant('a peer says so'),
    said: fc.record({ atMs: fc.nat(5000), draining: fc.boolean(), headroom: fc.constantFrom(0.1, 0.9) }),
  },
  { requiredKeys: ['id'] },
);
const anyView = fc.record({
  node: fc.constantFrom(...peerIds),
  isolated: fc.boolean(),
  mapSequence: fc.constant(1),
  votes: fc.uniqueArray(anyVote, { selector: ({ id }) => id }),
}) as fc.Arbitrary<PeerView>;
const anyWindow = fc.record({
  ...{ id: fc.constant('mnt_00000001'), site: fc.constant('site-1'), reason: fc.constant('a new fan') },
  ...{ startMs: fc.constantFrom(2000, 9000), endMs: fc.constantFrom(15_000, 60_000), drainMs: fc.constant(500) },
}); // prettier-ignore
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    ...{ kind: fc.constant('probes' as const), id: anyId },
    ...{ family: fc.constantFrom<Family>(4, 6), outcome: anyOutcome },
  }),
  fc.record({ kind: fc.constant('all' as const), outcome: anyOutcome }),
  fc.record({
    ...{ kind: fc.constant('report' as const), id: anyId },
    ...{ headroom: fc.constantFrom(0, 0.5, 1), isUnwell: fc.boolean() },
  }),
  fc.record({ kind: fc.constant('silence' as const), id: anyId }),
  fc.record({ kind: fc.constant('peer' as const), view: anyView }),
  fc.record({ kind: fc.constant('lost' as const), node: fc.constantFrom(...peerIds) }),
  fc.record({
    kind: fc.constant('map' as const),
    at: fc.nat(maps.length - 1),
    window: fc.option(anyWindow, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('flaps' as const), ids: fc.subarray(ids, { minLength: 1 }) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(0, 1000, 12_000) }),
);

/** A real prober over boxes that answer as is told, with streams and peers that say what is told. */
function makeWorld() {
  const clock = createManualClock({ nowMs: 0 });
  const outcomes = new Map<string, Outcome>();
  const reports = new Map<string, BoxReport>();
  const views = new Map<string, PeerView>();
  const flaps = new Map<string, FlapState>();
  const nothing = (): void => undefined;
  const prober = createProber({
    clock,
    openProbe: ({ id, family }) => ({
      ask: () => Promise.resolve(observations[outcomes.get(`${id} ${family}`) ?? 'ok']),
      close: nothing,
    }),
    ...{ policy: { downAfter: 2, upAfter: 2 }, flap: flapPolicyDefault },
    flaps: {
      recall: ({ id, family }) => flaps.get(`${id} ${family}`) ?? calm,
      note: ({ id, family }, state) => flaps.set(`${id} ${family}`, state),
    },
    ...{ intervalMs: 500, recheckMs: 200, probesMax: 64, probesPerSecondMax: 500, onChange: nothing },
  });
  let map: MonitoredMap = { ...maps[0]!, maintenance: [] };
  const take = (step: Step): void => {
    switch (step.kind) {
      case 'probes':
        outcomes.set(`${step.id} ${step.family}`, step.outcome);
        break;
      case 'all':
        for (const id of ids) for (const family of [4, 6]) outcomes.set(`${id} ${family}`, step.outcome);
        break;
      case 'report':
        reports.set(step.id, reportOf(step, clock.nowMs()));
        break;
      case 'silence':
        reports.delete(step.id);
        break;
      case 'peer':
        views.set(step.view.node, step.view);
        break;
      case 'lost':
        views.delete(step.node);
        break;
      case 'map':
        map = { ...(maps[step.at] ?? map), maintenance: step.window === undefined ? [] : [step.window] };
        break;
      case 'flaps':
        // So often at once that it is held down.
        for (const id of step.ids)
          flaps.set(`${id} 4`, { penalty: 3000, atMs: clock.monotonicMs(), suppressed: true });
        map = {
          ...map,
          appliances: map.appliances.map((box) =>
            step.ids.includes(box.id) ? { ...box, url: `${box.url}/moved` } : box,
          ),
        };
        break;
      case 'time':
    }
  };
  const open = (onUpdate = nothing): { monitor: Monitor; told: () => PeerView | undefined } => {
    let told: PeerView | undefined;
    const parts: MonitorParts = {
      prober,
      streams: {
        ...{ addTo: nothing, keepOnly: nothing, run: () => Promise.resolve() },
        report: (id) => reports.get(id),
        state: (id) => (reports.has(id) ? 'live' : 'none'),
      },
      peers: {
        ...{ follow: nothing, addTo: nothing, run: () => Promise.resolve() },
        publish: (view) => (told = view),
        fresh: () => [...views.values()],
        status: () => peerIds.map((id) => ({ id, fresh: views.has(id) })),
      },
    };
    const options = {
      ...{ node: 'node', clock, holdWindowMs: 10_000 },
      ...{ onChange: nothing, onSight: nothing, onUpdate },
    };
    return { monitor: createMonitor(options, () => parts), told: () => told };
  };
  return { clock, prober, take, open, map: () => map };
}

function reportOf({ headroom, isUnwell }: Extract<Step, { kind: 'report' }>, sentAtMs: number): BoxReport {
  return {
    ...{ sentAtMs, state: 'ready', level: 'normal', headroom, liveRequests: 0, liveSessions: 0 },
    ...{ connections: 0, failures: 0, disks: { serving: 1, all: 1 } },
    reasons: isUnwell ? ['STORE_UNAVAILABLE'] : [],
  };
}

/** All that a monitor tells; since when it has believed so is left out, which one that has just begun cannot know. */
function toldBy({ monitor, told }: ReturnType<ReturnType<typeof makeWorld>['open']>) {
  return {
    ...{ view: told(), holding: monitor.holding(), sight: monitor.sight() },
    health: [...monitor.health()].map(([id, { sinceMs: _since, ...health }]) => ({ id, ...health })),
    list: monitor.list().map(({ sinceMs: _since, ...pathway }) => pathway),
  };
}

t.test(
  'one that goes on from what it knew believes and tells what one believes that begins anew',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 30 }), async (steps) => {
        const world = makeWorld();
        const going = world.open();
        let before: ReadonlyMap<string, NodeHealth> = new Map();
        const look = (): void => {
          // The map is told again, as one that was seen before: each telling is a look.
          going.monitor.watch(world.map());
          const anew = world.open();
          anew.monitor.watch(world.map());
          assert.deepStrictEqual(toldBy(going), toldBy(anew));
          for (const [id, now] of going.monitor.health()) {
            const was = before.get(id);
            if (was !== undefined && isSame(was, now)) assert.equal(now.sinceMs, was.sinceMs);
          }
          before = going.monitor.health();
        };
        for (const step of steps) {
          world.take(step);
          look();
          await world.clock.advance(step.kind === 'time' ? step.ms : 300);
          look();
        }
        await world.prober.stop();
      }),
      { numRuns: 150 },
    );
  },
);

t.test('what has not changed is the same object, twice a second', async (t) => {
  const world = makeWorld();
  t.teardown(() => world.prober.stop());
  const { monitor, told } = world.open();
  monitor.watch(world.map());
  await world.clock.advance(2000);
  monitor.watch(world.map());
  const [before, votes] = [monitor.health(), told()?.votes];
  await world.clock.advance(5000);
  monitor.watch(world.map());
  t.equal(told()?.votes, votes, 'ten more probes of each have found the same');
  t.equal(monitor.health(), before);
  t.ok((monitor.describe('b')?.lastProbeMs ?? 0) > 6000, 'when it was probed is known all the same');
  world.take({ kind: 'report', id: 'b', headroom: 0.5, isUnwell: false });
  monitor.watch(world.map());
  const after = monitor.health();
  t.strictSame(
    ids.filter((id) => after.get(id) !== before.get(id)),
    ['b'],
  );
  world.take({ kind: 'all', outcome: 'failed' });
  await world.clock.advance(5000);
  monitor.watch(world.map());
  t.ok(monitor.holding());
});

t.test('a clock that is set back does not bring back who was dead long before all others', async (t) => {
  const world = makeWorld();
  t.teardown(() => world.prober.stop());
  const { monitor } = world.open();
  monitor.watch(world.map());
  await world.clock.advance(2000);
  world.take({ kind: 'probes', id: 'a', family: 4, outcome: 'failed' });
  await world.clock.advance(60_000);
  world.clock.jumpWall(-3_600_000);
  world.take({ kind: 'all', outcome: 'failed' });
  await world.clock.advance(5000);
  monitor.watch(world.map());
  t.ok(monitor.holding());
  const verdicts = [...monitor.health()].map(([id, { verdict }]) => [id, verdict]);
  t.strictSame(Object.fromEntries(verdicts), { a: 'down', b: 'up', c: 'up', d: 'up' });
});

t.test(
  'who answers in another thread is told of a window that begins, though nobody says anything',
  async (t) => {
    const world = makeWorld();
    const window = {
      id: 'mnt_00000001',
      site: 'site-1',
      reason: 'a fan',
      startMs: 9000,
      endMs: 15_000,
      drainMs: 500,
    };
    const told: (string | undefined)[] = [];
    const { monitor } = world.open(() => told.push(monitor.health().get('b')?.verdict));
    const over = new AbortController();
    monitor.watch({ ...world.map(), maintenance: [window] });
    await world.clock.advance(2000);
    const running = monitor.run(over.signal);
    t.teardown(async () => {
      over.abort();
      await running;
    });
    await world.clock.advance(5000);
    t.strictSame(told, ['unknown', 'up']);
    await world.clock.advance(3000);
    t.strictSame(told, ['unknown', 'up', 'draining']);
    await world.clock.advance(8000);
    t.strictSame(told, ['unknown', 'up', 'draining', 'up']);
  },
);

import t from 'tap';
import { documentTypes, SteeringMap } from '../../../../common/contract/documents.ts';
import { NodeView } from '../../../../common/contract/nodes.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { enrolNode, eventually, openSigned, startPlane } from '../../support/control-plane.ts';

t.test(
  'a node that stops reporting is lost after its lease, with a reason, and the steering map says so',
  async (t) => {
    const clock = createManualClock();
    const plane = await startPlane(t, { clock });
    const node = await enrolNode(plane, 'isp-a-1');
    const steering = await enrolNode(plane, 'steer-1', { role: 'steering' });
    t.match((await node.beat()).json, { leaseMs: 5000, fullWanted: false, drainWanted: false });
    await clock.advance(1000);
    const first = await steering.call('GET /v1/steering-map');
    t.equal(first.status, 200);
    await clock.advance(3500);
    t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, { state: 'ready' });
    const sequence = Number(first.headers['x-sequence']);
    const waiting = steering.call(`GET /v1/steering-map?after=${String(sequence)}&waitMs=25000`);
    await eventually(
      async () => clock.sleeping(),
      (count) => count > 8,
    );
    const lostAtMs = clock.nowMs();
    await clock.advance(1000);
    t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, {
      state: 'lost',
      stateReason: /no report for 5\.\d s \(lease 5 s\)/,
    });
    const pushed = await waiting;
    t.equal(pushed.status, 200);
    t.ok(clock.nowMs() - lostAtMs <= 1000, 'pushed within a second');
    const wanted = { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' } as const;
    const map = await openSigned(plane, pushed.text, wanted);
    t.match(map.body.appliances, [{ id: 'isp-a-1', state: 'lost', reasons: [/^LOST: no report/] }]);
    t.equal(map.sequence, sequence + 1);
    await node.beat();
    t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, { state: 'ready', stateReason: 'it reports' });
  },
);

t.test('a jump of wall time loses nobody', async (t) => {
  const clock = createManualClock();
  const plane = await startPlane(t, { clock });
  const node = await enrolNode(plane, 'isp-a-1');
  await node.beat();
  clock.jumpWall(3_600_000);
  await clock.advance(1000);
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, { state: 'ready' });
});

t.test('how far a drain is can be seen, where the box says it', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  await node.beat();
  const before = (await plane.call('GET /v1/nodes/isp-a-1')).as(NodeView);
  t.strictSame([before.liveSessions, before.drainEtaMs], [undefined, undefined], 'an older box does not');
  await node.beat({ state: 'draining', liveSessions: 12, drainEtaMs: 90_000 });
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, { liveSessions: 12, drainEtaMs: 90_000 });
  await node.beat({ state: 'ready', liveSessions: 12 });
  t.equal((await plane.call('GET /v1/nodes/isp-a-1')).as(NodeView).drainEtaMs, undefined);
});

t.test('a clock that is off is a reason, not a loss', async (t) => {
  const clock = createManualClock();
  const plane = await startPlane(t, { clock });
  const node = await enrolNode(plane, 'isp-a-1');
  await node.beat({ sentAtMs: clock.nowMs() - 31_000 });
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, {
    state: 'ready',
    reasons: [/CLOCK_SKEW: its clock is 31 s behind/],
  });
  await node.beat({ sentAtMs: clock.nowMs() - 29_000 });
  t.strictSame((await plane.call('GET /v1/nodes/isp-a-1')).as(NodeView).reasons, []);
  const old = await node.proof('GET /v1/revocations');
  clock.jumpWall(95_000);
  t.equal((await plane.call('GET /v1/revocations', { token: old })).status, 401);
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).as(NodeView).reasons, [
    /CLOCK_SKEW: its reports are refused/,
  ]);
});

t.test('holdings: full, then what changed; asked for in full after a restart of either side', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];
  const held = async (): Promise<number> =>
    (await plane.call('GET /v1/nodes/isp-a-1')).as(NodeView).heldFiles;
  const delta = (added: string[], removed: string[] = []) => ({ holdings: { full: false, added, removed } });
  const early = await node.beat(delta([a]));
  t.match(early.json, { fullWanted: true }, 'a change of something unknown');
  t.equal(await held(), 0);
  t.match((await node.beat({ holdings: { full: true, added: [a, b], removed: [] } })).json, {
    fullWanted: false,
  });
  t.equal(await held(), 2);
  await node.beat(delta([b, c], [a]));
  t.equal(await held(), 2);
  await node.beat({ ...delta([a]), sequence: 1 });
  t.equal(await held(), 2, 'a report that was overtaken changes nothing');
  const reborn = await node.beat({ ...delta([a]), incarnation: 'another-life' });
  t.match(reborn.json, { fullWanted: true });
  t.equal(await held(), 2, 'blobs survive a restart of the box until it says otherwise');
});

t.test('drain: told to the box, shown to steering at once, taken back', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  await node.beat();
  const drained = await plane.call('POST /v1/nodes/isp-a-1/drain', { body: { drain: true } });
  t.match(drained.json, { state: 'draining', drainWanted: true, stateReason: 'drained by an operator' });
  t.match((await node.beat()).json, { drainWanted: true });
  await plane.call('POST /v1/nodes/isp-a-1/drain', { body: { drain: false } });
  t.match((await node.beat()).json, { drainWanted: false });
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, { state: 'ready', stateReason: 'it reports' });
  t.match(await plane.call('POST /v1/nodes/nobody/drain', { body: { drain: true } }), { status: 404 });
});

t.test('default and unreadable routes are dropped and said', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  const route = { asPathLength: 0, class: 'embedded' } as const;
  await node.beat({
    routes: [
      { prefix: '0.0.0.0/0', ...route },
      { prefix: '::/0', ...route },
      { prefix: '10.0.0.1/8', ...route },
      { prefix: '10.0.0.0/8', ...route },
    ],
  });
  t.match((await plane.call('GET /v1/nodes/isp-a-1')).json, {
    routeCount: 1,
    reasons: [/ROUTE_DEFAULT: 2/, /ROUTE_UNREADABLE: 1/],
  });
});

t.test('nodes, drains, keys and sequences outlive the process', async (t) => {
  const first = await startPlane(t);
  const { dataDir } = first;
  const node = await enrolNode(first, 'isp-a-1', { site: 'isp-a' });
  const steering = await enrolNode(first, 'steer-1', { role: 'steering' });
  await node.beat({ url: 'http://127.0.1.1:8080' });
  await first.call('POST /v1/nodes/isp-a-1/drain', { body: { drain: true } });
  const map = await eventually(
    () => steering.call('GET /v1/steering-map?waitMs=500'),
    ({ status }) => status === 200,
  );
  const keyset = (await first.call('GET /v1/keyset', { token: '' })).text;
  await first.stop();

  const second = await startPlane(t, { dataDir, flags: ['--lease-ms', '300'] });
  t.equal((await second.call('GET /v1/keyset', { token: '' })).text, keyset);
  t.equal(second.operator, first.operator);
  t.match((await second.call('GET /v1/nodes/isp-a-1')).json, {
    state: 'lost',
    stateReason: /not reported since the control plane started/,
    url: 'http://127.0.1.1:8080',
    drainWanted: true,
    site: 'isp-a',
    capacityBytes: 10_000_000,
  });
  const route = 'GET /v1/steering-map' as const;
  const early = await second.call(route, { token: await steering.proof(route) });
  t.equal(early.status, 204, 'no map says that all are lost before they had time to report');
  const later = await eventually(
    async () => second.call(route, { token: await steering.proof(route) }),
    ({ status }) => status === 200,
  );
  t.ok(Number(later.headers['x-sequence']) > Number(map.headers['x-sequence']), 'the sequence goes on');
});

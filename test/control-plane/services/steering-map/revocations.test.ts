import t from 'tap';
import { documentTypes, Revocations } from '../../../../common/contract/documents.ts';
import { mintDeliveryToken } from '../../../../common/core/tokens/delivery-token.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { enrolNode, eventually, openSigned, startPlane, tokenKey } from '../../support/control-plane.ts';

const session = 'ab'.repeat(16);
const wanted = { typ: documentTypes.revocations, schema: Revocations, audience: '*' } as const;

t.test('a revocation is pushed to every node that waits, and told in the next report of each', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  const before = await node.call('GET /v1/revocations');
  const sequence = Number(before.headers['x-sequence']);
  t.strictSame((await openSigned(plane, before.text, wanted)).body, { sessions: [], bundles: [] });
  t.match((await node.beat()).json, { revocationsSequence: sequence });
  const waiting = node.call(`GET /v1/revocations?after=${String(sequence)}&waitMs=20000`);
  const startMs = performance.now();
  const made = await plane.call('POST /v1/revocations', { body: { sessions: [session] } });
  t.strictSame(made.json, { sequence: sequence + 1 });
  const pushed = await waiting;
  t.ok(performance.now() - startMs < 1000);
  t.strictSame((await openSigned(plane, pushed.text, wanted)).body, { sessions: [session], bundles: [] });
  t.match((await node.beat()).json, { revocationsSequence: sequence + 1 });
  await plane.call('POST /v1/revocations', { body: { sessions: [session] } });
  t.match((await node.beat()).json, { revocationsSequence: sequence + 1 }, 'the same again is nothing new');
  t.match(await plane.call('POST /v1/revocations', { body: {} }), { status: 400 });
  t.match(await node.call('POST /v1/revocations', { body: { sessions: [session] } }), { status: 403 });
});

t.test(
  'a revocation ends when no token that it refuses can be valid, and outlives a restart until then',
  async (t) => {
    const clock = createManualClock();
    const first = await startPlane(t, { clock });
    const node = await enrolNode(first, 'isp-a-1');
    await first.call('POST /v1/revocations', { body: { bundles: ['c'.repeat(64)] } });
    await first.stop();
    const second = await startPlane(t, { clock, dataDir: first.dataDir });
    const route = 'GET /v1/revocations' as const;
    const ask = async () =>
      openSigned(second, (await second.call(route, { token: await node.proof(route) })).text, wanted);
    t.strictSame((await ask()).body.bundles, ['c'.repeat(64)]);
    const { sequence } = await ask();
    clock.jumpWall(26 * 3_600_000);
    await clock.advance(600_000);
    const ended = await eventually(ask, ({ body }) => body.bundles.length === 0);
    t.strictSame(ended.body, { sessions: [], bundles: [] });
    t.ok(ended.sequence > sequence);
  },
);

t.test('the control plane itself refuses what was revoked', async (t) => {
  const plane = await startPlane(t);
  const { kid, privateKey } = await tokenKey(plane);
  const bundle = 'c'.repeat(64);
  const nowS = Math.floor(plane.clock.nowMs() / 1000);
  const mint = (id: string) =>
    mintDeliveryToken(
      { scope: 'play', session: id, bundle, issuedAtS: nowS, expiresAtS: nowS + 60 },
      { kid, key: privateKey },
    );
  const event = { id: 'event-0001', timeMs: nowS * 1000, type: 'play', positionMs: 0 };
  const report = (token: string) => plane.call('POST /v1/events', { token, body: { events: [event] } });
  const [token, other] = [mint(session), mint('cd'.repeat(16))];
  t.equal((await report(token)).status, 200);
  await plane.call('POST /v1/revocations', { body: { sessions: [session] } });
  const refused = { status: 403, json: { code: 'TOKEN_REVOKED' } };
  t.match(await report(token), refused);
  t.match(await plane.call(`GET /v1/playback/${token}/master.m3u8`, { token: '' }), refused);
  t.equal((await report(other)).status, 200);
  await plane.call('POST /v1/revocations', { body: { bundles: [bundle] } });
  t.match(await report(other), refused);
});

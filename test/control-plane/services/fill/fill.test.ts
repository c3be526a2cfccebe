import t from 'tap';
import {
  documentTypes,
  FillManifest,
  Revocations,
  SteeringMap,
} from '../../../../common/contract/documents.ts';
import { FillPlanView, FillReportView, FillSourcesReply } from '../../../../common/contract/fill.ts';
import { StatusView } from '../../../../common/contract/status.ts';
import { TitleView } from '../../../../common/contract/titles.ts';
import { openHoldings } from '../../../../common/core/holdings-codec.ts';
import { decodeRouteTable } from '../../../../common/core/route-table-codec.ts';
import { countRoutes } from '../../../../common/core/route-table.ts';
import { verifyDeliveryToken } from '../../../../common/core/tokens/delivery-token.ts';
import { valueOf } from '../../../../common/runtime/errors.ts';
import { unpackRouteTable } from '../../../../common/runtime/route-table-packing.ts';
import { addTitle } from '../../support/add-title.ts';
import {
  enrolNode,
  eventually,
  openSigned,
  tokenKey,
  type TestNode,
  type TestPlane,
} from '../../support/control-plane.ts';
import { manifestWithFiles, pollManifest, startFleet } from '../../support/fleet.ts';

t.test('a title reaches the manifest of every cluster within a second, signed for each box', async (t) => {
  const { plane, encoder, a1, a2, b1 } = await startFleet(t);
  const empty = await Promise.all([a1, a2, b1].map((node) => pollManifest(node)));
  t.ok(empty.every(({ status }) => status === 200));
  const waiting = pollManifest(a1, Number(empty[0]?.headers['x-sequence']));
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const startMs = performance.now();
  t.equal((await waiting).status, 200);
  t.ok(performance.now() - startMs < 1000, 'the long poll ended within a second of the change');
  for (const node of [a1, a2, b1]) {
    const { body } = await manifestWithFiles(plane, node, title.files.length);
    t.equal(body.appliance, node.id);
    t.equal(body.site, node === b1 ? 'isp-b' : 'isp-a', 'from which all its boxes know when they begin');
    t.strictSame(new Set(body.files.map(({ file }) => file)), new Set(title.files));
    t.ok(body.files.every(({ bundle }) => bundle === title.bundle));
    t.strictSame(body.roster.map(({ id }) => id).sort(), ['isp-a-1', 'isp-a-2', 'isp-b-1', 'origin']);
  }
  const foreign = await pollManifest(a1);
  const asOther = { typ: documentTypes.fillManifest, schema: FillManifest, audience: 'isp-b-1' } as const;
  await t.rejects(openSigned(plane, foreign.text, asOther), { code: 'DOCUMENT_FOREIGN' });
});

t.test('a manifest grows in sequence only when it changes', async (t) => {
  const { plane, encoder, a1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const before = await manifestWithFiles(plane, a1, title.files.length);
  await a1.beat({ headroom: 0.5, liveRequests: 3, usedBytes: 5 });
  await a1.beat({ holdings: { full: false, added: title.files.slice(0, 2), removed: [] } });
  await plane.call(`PATCH /v1/titles/${title.id}`, { body: { name: 'Renamed' } });
  t.equal((await pollManifest(a1, before.sequence, 600)).status, 204);
  t.match((await a1.beat()).json, { fillManifestSequence: before.sequence });
  await a1.beat({ capacityBytes: title.sizeBytes / 2 });
  const after = await pollManifest(a1, before.sequence);
  t.equal(Number(after.headers['x-sequence']), before.sequence + 1);
  const plan = (await plane.call('GET /v1/fill/plan')).as(FillPlanView);
  const own = plan.appliances.find(({ id }) => id === 'isp-a-1');
  t.match(own, { plannedBytes: 0, left: [{ title: 'Renamed', why: /copies are on isp-a-2/ }] });
});

t.test(
  'sources: peers, other sites after a wait, the origin last; only what is ready and holds the file',
  async (t) => {
    const waits = ['--fill-tier-wait-ms', '2000', '--fill-origin-wait-ms', '5000'];
    const { plane, encoder, origin, a1, a2, b1 } = await startFleet(t, waits);
    const title = await addTitle(plane, encoder, { name: 'Film' });
    for (const node of [a1, a2, b1]) await manifestWithFiles(plane, node, title.files.length);
    const [file = ''] = title.files;
    const ask = async (node: TestNode) => {
      const answer = await node.call(`POST /v1/nodes/${node.id}/fill-sources`, {
        body: { files: [file, 'f'.repeat(64)] },
      });
      const [first, second] = answer.as(FillSourcesReply).sources;
      t.strictSame(second?.ways, [], 'nothing for a file that is not on the list');
      return (first?.ways ?? []).map(({ kind, node: from, waitMs }) => [kind, from, waitMs]);
    };
    // Nobody holds it: one box of the cluster goes to the origin at once, the other waits for it.
    t.strictSame([await ask(a1), await ask(a2)].flat().sort(), [
      ['origin', 'origin', 0],
      ['origin', 'origin', 5000],
    ]);
    t.strictSame(await ask(b1), [['origin', 'origin', 0]]);
    await a2.beat({ holdings: { full: true, added: title.files, removed: [] } });
    t.strictSame(await ask(a1), [
      ['peer', 'isp-a-2', 0],
      ['origin', 'origin', 5000],
    ]);
    t.strictSame(await ask(b1), [
      ['tier', 'isp-a-2', 0],
      ['origin', 'origin', 2000],
    ]);
    const pull = { files: [file, 'f'.repeat(64)], purpose: 'pull' };
    const pulled = await b1.call('POST /v1/nodes/isp-b-1/fill-sources', { body: pull });
    t.strictSame(
      pulled.as(FillSourcesReply).sources.map(({ ways }) => ways.map(({ node, waitMs }) => [node, waitMs])),
      [
        [
          ['isp-a-2', 0],
          ['origin', 0],
        ],
        [['origin', 0]],
      ],
      'viewers wait for nothing, and may ask for what is not on the list',
    );
    await a2.beat({ state: 'draining' });
    await origin.beat({ state: 'draining' });
    t.strictSame(await ask(a1), [], 'who drains is no source');
    await origin.beat();
    const answer = await a1.call('POST /v1/nodes/isp-a-1/fill-sources', { body: { files: [file] } });
    t.match(
      answer.as(FillSourcesReply).sources[0]?.ways[0]?.base,
      /^http:\/\/origin\.test:8080\/v1\/[\w-]+\/$/,
    );
  },
);

t.test('a title is live when copies stand, and the steering map says where', async (t) => {
  const { plane, encoder, a1, a2, b1, steering } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  await manifestWithFiles(plane, a1, title.files.length);
  t.match((await plane.call(`GET /v1/titles/${title.id}`)).json, { state: 'filling', holders: ['origin'] });
  t.match((await plane.call('GET /v1/status')).as(StatusView).fill, {
    wantedFiles: 3 * title.files.length,
    missingFiles: 3 * title.files.length,
  });
  await a1.beat({ holdings: { full: true, added: title.files, removed: [] } });
  await b1.beat({ holdings: { full: true, added: title.files.slice(1), removed: [] } });
  const live = await eventually(
    async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView),
    ({ state }) => state === 'live',
  );
  t.strictSame(new Set(live.holders), new Set(['origin', 'isp-a-1']));
  t.match((await plane.call('GET /v1/nodes/isp-b-1')).json, {
    missingFiles: 1,
    wantedFiles: title.files.length,
  });
  const { body, holdings } = await currentMap(plane, steering);
  t.equal(Buffer.from(holdings.names).toString('hex'), title.bundle);
  const holders = body.appliances.filter((_, index) => ((holdings.bits[0] ?? 0) >>> index) & 1);
  t.strictSame(
    holders.map(({ id }) => id),
    ['isp-a-1', 'origin'],
  );
  const { name = '', count } = body.appliances.find(({ id }) => id === a2.id)?.routeTable ?? {};
  const packed = await steering.call(`GET /v1/route-tables/${name}`);
  const routes = valueOf(decodeRouteTable(await unpackRouteTable(packed.bytes), { routesMax: 10 }));
  t.equal(countRoutes(routes), count);
  t.match(await steering.call(`GET /v1/route-tables/${'0'.repeat(64)}`), {
    status: 404,
    json: { code: 'ROUTE_TABLE_UNKNOWN' },
  });
});

/** The steering map in force, with its holdings. */
async function currentMap(plane: TestPlane, steering: TestNode) {
  const answer = await steering.call('GET /v1/steering-map?waitMs=1000');
  const wanted = { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' } as const;
  const { body } = await openSigned(plane, answer.text, wanted);
  const table = await steering.call(`GET /v1/holdings/${body.holdings?.name ?? ''}`);
  const holdings = valueOf(openHoldings(await unpackRouteTable(table.bytes), body.appliances.length));
  return { body, holdings };
}

t.test(
  'a box that leads on is told single renditions, and is a way to the title once it holds them',
  async (t) => {
    const { plane, encoder, b1, steering } = await startFleet(t);
    const title = await addTitle(plane, encoder, { name: 'Film' });
    const leading = { mayRedirect: true as const, capacityBytes: Math.round(title.sizeBytes * 0.7) };
    await b1.beat(leading);
    const forecast = { viewingsPerDay: 5000, launchAtMs: plane.clock.nowMs() };
    await plane.call(`PATCH /v1/titles/${title.id}`, { body: { forecast } });
    const { files } = await eventually(
      async () => {
        const answer = await pollManifest(b1);
        const wanted = { typ: documentTypes.fillManifest, schema: FillManifest, audience: b1.id } as const;
        return (await openSigned(plane, answer.text, wanted)).body;
      },
      (body) => body.files.length > 1 && body.files.length < title.files.length,
    );
    const names = files.map(({ file }) => file);
    t.ok(names.includes(title.bundle), 'the bundle goes along');
    t.equal(files.filter(({ ext }) => ext === 'm3u8').length, 7, 'and the playlists');
    const plan = (await plane.call('GET /v1/fill/plan')).as(FillPlanView);
    t.match(plan.appliances.find(({ id }) => id === b1.id)?.left[0]?.why, /viewers are led on$/);
    const partOf = async (id: string) => {
      const { body, holdings } = await currentMap(plane, steering);
      const index = body.appliances.findIndex((one) => one.id === id);
      const { mayRedirect } = body.appliances[index] ?? {};
      return { mayRedirect, isPart: (((holdings.parts[0] ?? 0) >>> index) & 1) === 1 };
    };
    const told = await eventually(
      () => partOf(b1.id),
      ({ mayRedirect }) => mayRedirect === true,
    );
    t.notOk(told.isPart);
    await b1.beat({ ...leading, holdings: { full: true, added: names, removed: [] } });
    const { isPart } = await eventually(
      () => partOf(b1.id),
      (part) => part.isPart,
    );
    t.ok(isPart);
    const view = (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView);
    t.ok(view.holders.includes(b1.id));
  },
);

t.test('reports: summed by source and over time, repeats ignored, the missing explained', async (t) => {
  const { plane, encoder, a1, b1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { sequence } = await manifestWithFiles(plane, a1, title.files.length);
  const nowMs = plane.clock.nowMs();
  const [first = '', second = ''] = title.files;
  const outcome = {
    sizeBytes: 3000,
    startedAtMs: nowMs - 4000,
    endedAtMs: nowMs,
    chunksVerified: 1,
    resumedBytes: 0,
  };
  const report = {
    id: 'report-0001',
    manifestSequence: sequence,
    outcomes: [
      {
        ...outcome,
        file: first,
        outcome: 'held',
        chunksRefused: 1,
        bytesBySource: [
          { kind: 'peer', node: 'isp-a-2', bytes: 1000 },
          { kind: 'origin', node: 'origin', bytes: 2000 },
        ],
      },
      {
        ...outcome,
        file: second,
        outcome: 'failed',
        chunksRefused: 0,
        code: 'FILL_CHECKSUM',
        detail: 'chunk 3 of isp-a-2',
        bytesBySource: [],
      },
    ],
  };
  const send = () => a1.call('POST /v1/nodes/isp-a-1/fill-reports', { body: report });
  t.equal((await send()).status, 204);
  t.equal((await send()).status, 204, 'sent again after a lost reply');
  await a1.beat({ holdings: { full: true, added: [first], removed: [] } });
  const view = (await plane.call('GET /v1/fill/report')).as(FillReportView);
  const [own, , other] = view.appliances;
  t.match(own, {
    id: 'isp-a-1',
    plannedFiles: title.files.length,
    heldFiles: 1,
    failedFiles: 1,
    bytesByKind: { peer: 1000, tier: 0, origin: 2000 },
    chunksVerified: 2,
    chunksRefused: 1,
    durationMs: 4000,
    bytesPerSecond: 750,
  });
  const why = own?.missing.find(({ file }) => file === second)?.why;
  t.equal(why, 'FILL_CHECKSUM: chunk 3 of isp-a-2');
  t.match(other, { id: 'isp-b-1', heldFiles: 0, missing: [{ title: 'Film', why: /on its way/ }] });
  t.equal(
    view.buckets.reduce((sum, { peer, origin }) => sum + peer + origin, 0),
    3000,
  );
  t.match(
    (await plane.call(`GET /v1/fill/report?sinceMs=0&untilMs=${String(nowMs - 1)}`)).as(FillReportView)
      .appliances[0],
    {
      bytesByKind: { origin: 0 },
    },
  );
  t.match(await b1.call('POST /v1/nodes/isp-a-1/fill-reports', { body: report }), { status: 403 });
  const [held] = report.outcomes;
  const times = { startedAtMs: nowMs - 3_600_000, endedAtMs: nowMs - 3_599_000 };
  const earlier = { ...report, id: 'report-0002', outcomes: [{ ...held, ...times }] };
  await a1.call('POST /v1/nodes/isp-a-1/fill-reports', { body: earlier });
  t.match(
    (await plane.call('GET /v1/fill/report')).as(FillReportView).appliances[0],
    { durationMs: 5000, bytesPerSecond: 1200 },
    'the hour between two fills is no part of them',
  );
});

t.test('what boxes serve makes a title popular, and the plan says so', async (t) => {
  const { plane, encoder, a1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  await manifestWithFiles(plane, a1, title.files.length);
  await a1.beat();
  await a1.serve(Object.fromEntries(title.files.map((file) => [file, 10 * title.sizeBytes])));
  const popularity = async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView).popularity;
  t.ok((await eventually(popularity, (value) => value > 0)) > 10);
  const { appliances } = (await plane.call('GET /v1/fill/plan')).as(FillPlanView);
  t.match(appliances[0]?.adds[0]?.why, /^popularity \d+\.\d+; 2 copies in cluster isp-a$/);
  const metrics = (await plane.call('GET /metrics', { token: '' })).text;
  t.match(metrics, /nearcast_control_nodes\{role="appliance",state="ready"\} 3/);
  t.match(metrics, /nearcast_control_missing_files [1-9]/);
});

t.test('a lost appliance keeps its place for a while, then its titles are placed elsewhere', async (t) => {
  const flags = ['--lease-ms', '300', '--placement-copies-min', '1', '--placement-lost-after-ms', '500'];
  const { plane, encoder, a1, a2 } = await startFleet(t, flags);
  const beating = setInterval(() => {
    void keeper.beat().catch(() => undefined);
  }, 100);
  t.teardown(() => {
    clearInterval(beating);
  });
  let keeper = a1;
  await Promise.all([a1.beat(), a2.beat()]);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const planned = async () => {
    const { appliances } = (await plane.call('GET /v1/fill/plan')).as(FillPlanView);
    const inA = appliances.filter(({ cluster }) => cluster === 'isp-a');
    return inA.filter(({ plannedBytes }) => plannedBytes > 0).map(({ id }) => id);
  };
  const [holder] = await eventually(planned, (ids) => ids.length === 1);
  keeper = holder === a1.id ? a2 : a1;
  t.strictSame(await eventually(planned, (ids) => ids.length === 1 && ids[0] === keeper.id), [keeper.id]);
  t.ok(title.files.length > 0);
});

t.test('an appliance that is revoked can fill no more: its tokens are revoked with it', async (t) => {
  const { plane, encoder, a1, b1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { publicKey } = await tokenKey(plane);
  const sessionOf = async (node: TestNode) => {
    await manifestWithFiles(plane, node, title.files.length);
    const body = { files: title.files.slice(0, 1) };
    const answer = await node.call(`POST /v1/nodes/${node.id}/fill-sources`, { body });
    const [, token = ''] =
      /\/v1\/([^/]+)\/$/.exec(answer.as(FillSourcesReply).sources[0]?.ways[0]?.base ?? '') ?? [];
    const claims = verifyDeliveryToken(token, { findKey: () => publicKey, nowMs: plane.clock.nowMs() });
    return claims.ok ? claims.value.session : '';
  };
  const [gone, stays] = [await sessionOf(a1), await sessionOf(b1)];
  t.not(gone, stays);
  t.equal((await plane.call('DELETE /v1/nodes/isp-a-1')).status, 200);
  const wanted = { typ: documentTypes.revocations, schema: Revocations, audience: '*' } as const;
  const revocations = await openSigned(plane, (await b1.call('GET /v1/revocations')).text, wanted);
  t.strictSame(revocations.body.sessions, [gone]);
  const again = await enrolNode(plane, 'isp-a-1', { site: 'isp-a' });
  await again.beat();
  t.not(await sessionOf(again), gone, 'a new enrolment has tokens of its own');
});

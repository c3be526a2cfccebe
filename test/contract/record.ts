// Records the golden files of this contract version from real processes: `node test/contract/record.ts`. Run when a schema is
// added; goldens of what has been released are never rewritten, they show that it stays readable.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type { Test } from 'tap';
import { request } from 'undici';
import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import {
  documentTypes,
  FillManifest,
  Keyset,
  Revocations,
  SteeringMap,
} from '../../common/contract/documents.ts';
import { PlaybackSession } from '../../common/contract/playback.ts';
import { contractVersion } from '../../common/contract/primitives.ts';
import { EncodeJob, TitleView, UploadView } from '../../common/contract/titles.ts';
import { pathToFileURL } from 'node:url';
import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { makeEnrolRequest, parseEnrolmentCode } from '../../common/runtime/enrolment-code.ts';
import { generateKey } from '../../common/runtime/keys.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { ServedReport } from '../../common/contract/served.ts';
import { receiptAudience, WithdrawalView } from '../../common/contract/withdrawals.ts';
import { signDocument } from '../../common/runtime/signed-documents.ts';
import { addTitle } from '../control-plane/support/add-title.ts';
import { publishSampleBundle } from '../control-plane/support/publish-bundle.ts';
import {
  enrolNode,
  eventually,
  openSigned,
  startPlane,
  type TestNode,
  type TestPlane,
} from '../control-plane/support/control-plane.ts';
import { signServedReport } from '../support/served-report.ts';
import { tableOf, tellRoutes } from '../control-plane/support/tell-routes.ts';
import { startBox, startSteering } from '../support/steering-process.ts';
import { wireSchemas } from './schemas.ts';

const dir = join(import.meta.dirname, 'golden', `v${String(contractVersion)}`);
const rewrite = process.argv.includes('--rewrite');
const schemas = wireSchemas();

/** Stores a value as the golden of its schema, which it must match. */
async function keep(name: string, value: unknown): Promise<void> {
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`${name} is no schema of the wire`);
  parseAs(schema, value, { what: name });
  schemas.delete(name);
  const file = join(dir, `${name}.json`);
  if (existsSync(file) && !rewrite) return;
  await writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

async function recordEnrolment(plane: TestPlane): Promise<void> {
  const body = { role: 'appliance', name: 'isp-c-1', site: 'isp-c', cluster: 'isp-c' };
  await keep('EnrolmentCodeRequest', body);
  const code = await plane.call('POST /v1/enrolment-codes', { body });
  await keep('EnrolmentCodeReply', code.json);
  const { secret } = parseEnrolmentCode(code.as(EnrolmentCodeReply).code);
  const enrol = await makeEnrolRequest(secret, generateKey());
  await keep('EnrolRequest', enrol);
  await keep('EnrolReply', (await plane.call('POST /v1/enrol', { token: '', body: enrol })).json);
  const token = { role: 'viewer', sub: 'ada', ttlS: 3600 };
  await keep('AccessTokenRequest', token);
  await keep('AccessTokenReply', (await plane.call('POST /v1/access-tokens', { body: token })).json);
  await keep('AccessClaims', decodeJwt(plane.operator));
  await keep('Problem', (await plane.call('POST /v1/enrolment-codes', { body: { role: 'king' } })).json);
  await keep('HealthView', (await plane.call('GET /healthz', { token: '' })).json);
}

async function recordTitles(plane: TestPlane, encoder: TestNode): Promise<void> {
  const upload = { filename: 'film.mp4', sizeBytes: 5 };
  await keep('UploadRequest', upload);
  const made = await plane.call('POST /v1/uploads', { body: upload });
  const { uploadId } = made.as(UploadView);
  await plane.call(`PATCH /v1/uploads/${uploadId}`, {
    body: 'bytes',
    headers: { 'upload-offset': '0', 'content-type': 'application/octet-stream' },
  });
  await keep('UploadView', (await plane.call(`GET /v1/uploads/${uploadId}`)).json);
  const title = { name: 'From an upload', uploadId, pinned: false };
  await keep('TitleRequest', title);
  const { id } = (await plane.call('POST /v1/titles', { body: title })).as(TitleView);
  await keep('TitlePatch', { name: 'Renamed', pinned: true });
  await plane.call(`PATCH /v1/titles/${id}`, { body: { name: 'Renamed', pinned: true } });
  await keep('EncodeLeaseRequest', { waitMs: 5000 });
  const leased = await encoder.call('POST /v1/encode-jobs/lease', { body: { waitMs: 5000 } });
  await keep('EncodeJob', leased.json);
  const { jobId, leaseId } = leased.as(EncodeJob);
  const progress = { leaseId, fraction: 0.5, stage: 'encoding v720' };
  await keep('EncodeProgress', progress);
  await encoder.call(`POST /v1/encode-jobs/${jobId}/progress`, { body: progress });
  const fail = { leaseId, code: 'SOURCE_NOT_VIDEO', detail: 'no stream was found', final: true };
  await keep('EncodeFail', fail);
  await encoder.call(`POST /v1/encode-jobs/${jobId}/fail`, { body: fail });
  await keep('EncodeComplete', { leaseId, bundle: 'a'.repeat(64) });
  await keep('SourceTags', {
    name: 'From its file',
    number: 1,
    year: 1989,
    synopsis: 'A story.',
    genres: ['Drama'],
  });
  const blobs = await openBlobs(pathToFileURL(join(plane.dataDir, 'blobs')).href);
  await keep('Bundle', (await publishSampleBundle(blobs)).bundle);
  const size = { file: 'b'.repeat(64), ext: 'jpg', sizeBytes: 5000, width: 160, height: 240 };
  await keep('ArtworkBundle', { version: 1, artwork: 'artwork_AAAAAAAAAAAAAAAA', files: [size] });
}

async function recordFill(plane: TestPlane, box: TestNode, files: readonly string[]): Promise<void> {
  const poll = `GET /v1/nodes/${box.id}/fill-manifest?waitMs=2000` as const;
  const manifest = await openSigned(plane, (await box.call(poll)).text, {
    typ: documentTypes.fillManifest,
    schema: FillManifest,
    audience: box.id,
  });
  await keep('FillManifest', manifest.body);
  const want = { files: files.slice(0, 2) };
  await keep('FillSourcesRequest', want);
  const sources = await box.call(`POST /v1/nodes/${box.id}/fill-sources`, { body: want });
  await keep('FillSourcesReply', sources.json);
  const nowMs = plane.clock.nowMs();
  const outcome = {
    ...{ file: files[0], sizeBytes: 5000, startedAtMs: nowMs - 900, endedAtMs: nowMs, outcome: 'failed' },
    ...{
      code: 'FILL_SOURCE_FAILED',
      detail: 'reset by isp-a-2',
      chunksVerified: 1,
      chunksRefused: 1,
      resumedBytes: 10,
    },
    bytesBySource: [{ kind: 'peer', node: 'isp-a-2', bytes: 5000 }],
  };
  const report = { id: 'report-0001', manifestSequence: manifest.sequence, outcomes: [outcome] };
  await keep('FillReport', report);
  await box.call(`POST /v1/nodes/${box.id}/fill-reports`, { body: report });
  await keep('FillPlanView', (await plane.call('GET /v1/fill/plan')).json);
  await keep('FillReportView', (await plane.call('GET /v1/fill/report')).json);
  const explain = `GET /v1/fill/explain?appliance=${box.id}&file=${files[0] ?? ''}` as const;
  await keep('FillExplainView', (await plane.call(explain)).json);
  await recordSites(plane, box, manifest.sequence);
}

async function recordSites(plane: TestPlane, box: TestNode, base: number): Promise<void> {
  const patch = {
    ...{ timeZone: 'Europe/Berlin', hours: { startMinute: 120, endMinute: 840 }, jitterMinutes: 120 },
    ...{ capBytesPerSecond: 150_000_000, applianceCapBytesPerSecond: null },
  };
  await keep('FillSitePatch', patch);
  await keep('FillSites', (await plane.call('PATCH /v1/fill/sites/isp-a', { body: patch })).json);
  await keep('FillPartnerPatch', { capBytesPerSecond: 500_000_000 });
  const poll = `GET /v1/nodes/${box.id}/fill-manifest?after=${String(base)}&diff=true&waitMs=2000` as const;
  await keep('ManifestDiff', (await box.call(poll)).json);
}

async function recordWithdrawal(plane: TestPlane, box: TestNode, titleId: string): Promise<void> {
  const view = (await plane.call(`POST /v1/titles/${titleId}/withdraw`)).as(WithdrawalView);
  const nowMs = plane.clock.nowMs();
  const body = { withdrawal: view.id, deletedFiles: 12, deletedBytes: 542_984, doneAtMs: nowMs };
  await keep('WithdrawalReceipt', body);
  const times = { issuedAtMs: nowMs, notAfterMs: nowMs + 3_600_000 };
  const document = { audience: receiptAudience, sequence: view.revocationsSequence, ...times, body };
  const request = { jws: await signDocument(documentTypes.withdrawalReceipt, document, box.key) };
  await keep('WithdrawalReceiptRequest', request);
  await box.call(`POST /v1/nodes/${box.id}/withdrawal-receipts`, { body: request });
  await keep('WithdrawalView', (await plane.call(`GET /v1/withdrawals/${view.id}`)).json);
  await keep('WithdrawalList', (await plane.call('GET /v1/withdrawals')).json);
}

async function recordServed(plane: TestPlane, box: TestNode): Promise<void> {
  const report = {
    sequence: 1,
    played: { ['a'.repeat(64)]: 123_456 },
    filledBytes: 5000,
    nowMs: plane.clock.nowMs(),
  };
  const jws = await signServedReport(box.key, report);
  await keep('ServedReport', parseAs(ServedReport, decodeJwt(jws)['body'], { what: 'the report' }));
  await keep('ServedReportRequest', { jws });
  const reply = await box.call(`POST /v1/nodes/${box.id}/served-reports`, { body: { jws } });
  await keep('ServedReportReply', reply.json);
}

async function recordDocuments(plane: TestPlane, steering: TestNode): Promise<void> {
  const revoke = { sessions: ['ab'.repeat(16)], bundles: ['c'.repeat(64)] };
  await keep('RevocationRequest', revoke);
  await keep('RevocationReply', (await plane.call('POST /v1/revocations', { body: revoke })).json);
  const revoked = { typ: documentTypes.revocations, schema: Revocations, audience: '*' } as const;
  await keep(
    'Revocations',
    (await openSigned(plane, (await steering.call('GET /v1/revocations')).text, revoked)).body,
  );
  const map = { typ: documentTypes.steeringMap, schema: SteeringMap, audience: 'steering' } as const;
  const answer = await eventually(
    () => steering.call('GET /v1/steering-map?waitMs=1000'),
    ({ status }) => status === 200,
  );
  await keep('SteeringMap', (await openSigned(plane, answer.text, map)).body);
  const keyset = decodeJwt((await plane.call('GET /v1/keyset', { token: '' })).text);
  await keep('Keyset', parseAs(Keyset, keyset['body'], { what: 'the keyset' }));
  await keep('NodeProofClaims', decodeJwt(await steering.proof('GET /v1/steering-map')));
}

async function recordNodes(plane: TestPlane, box: TestNode): Promise<void> {
  await recordRoutes(plane, box);
  await keep('HeartbeatReply', (await box.beat({ routes: undefined })).json);
  await keep('NodeView', (await plane.call(`GET /v1/nodes/${box.id}`)).json);
  await keep('NodeList', (await plane.call('GET /v1/nodes')).json);
  await keep('DrainRequest', { drain: false });
  await keep('TitleList', (await plane.call('GET /v1/titles')).json);
  await keep('StatusView', (await plane.call('GET /v1/status')).json);
}

async function recordRoutes(plane: TestPlane, box: TestNode): Promise<void> {
  const patch = { allowed: [{ prefix: '198.51.100.0/24', maxLength: 28 }], routesMax: 1000 };
  await keep('RouteSitePatch', patch);
  await keep('RouteSites', (await plane.call('PATCH /v1/routes/sites/isp-a', { body: patch })).json);
  const told = await tellRoutes(box, tableOf('198.51.100.0/24', '203.0.113.0/24'));
  await keep('RouteTableReply', told.json);
  await keep('RoutesView', (await plane.call(`GET /v1/routes?appliance=${box.id}`)).json);
  await keep('RouteLint', (await plane.call('GET /v1/routes/lint')).json);
}

async function recordPlayback(plane: TestPlane, titleId: string): Promise<void> {
  const play = { titleId, clientAddress: '198.51.100.23' };
  await keep('PlaybackRequest', play);
  const session = await eventually(
    () => plane.call('POST /v1/playback-sessions', { body: play }),
    ({ status, text }) => status === 201 && text.includes('"rankedBy":"steering"'),
  );
  await keep('PlaybackSession', session.json);
  const nowMs = plane.clock.nowMs();
  const base = { timeMs: nowMs, positionMs: 4000, pathway: 'isp-a-1', rendition: 'v720' };
  const events = [
    { ...base, id: 'event-0001', type: 'play' },
    {
      ...base,
      id: 'event-0002',
      type: 'stall',
      stallMs: 120,
      throughputBps: 8_000_000,
      detail: 'buffer empty',
    },
  ];
  await keep('EventBatch', { events });
  const { eventsToken } = session.as(PlaybackSession);
  await keep(
    'EventBatchReply',
    (await plane.call('POST /v1/events', { token: eventsToken, body: { events } })).json,
  );
}

async function recordSteering(
  plane: TestPlane,
  { url, bundle, session }: { url: string; bundle: string; session: string },
): Promise<void> {
  const ask = async (path: string, body?: object): Promise<unknown> => {
    const { body: reply } = await request(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${plane.operator}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    return reply.json();
  };
  const client = '198.51.100.23';
  await keep('RankRequest', { client, bundle });
  await keep('RankReply', await ask('/v1/rank', { client, bundle }));
  await keep('ExplainReply', await ask(`/v1/explain?client=${client}&bundle=${bundle}`));
  await keep('SteeringStatus', await ask('/v1/status'));
  const steer = await request(session);
  await keep('ContentSteeringReply', await steer.body.json());
  const { pathways } = (await ask('/v1/status')) as { pathways: unknown[] };
  await keep('PathwayHealth', pathways[0]);
  await keep('PathwayHealthList', await ask('/v1/pathways/health'));
  await keep('SteeringAddress', { url });
  const signed = await request(`${url}/v1/health-view`, {
    headers: { authorization: `Bearer ${plane.operator}` },
  });
  const { body } = decodeJwt<{ body: unknown }>(await signed.body.text());
  await keep('PeerView', body);
  await keep('BoxReport', sampleReport(plane));
}

async function recordMaintenance(plane: TestPlane): Promise<void> {
  const startMs = plane.clock.nowMs() + 86_400_000;
  const times = { startMs, endMs: startMs + 7_200_000, drainMs: 900_000, timeZone: 'Europe/Berlin' };
  const body = { site: 'isp-a', ...times, reason: 'new fans' };
  await keep('MaintenanceRequest', body);
  await plane.call('POST /v1/maintenance', { body });
  await keep('MaintenanceList', (await plane.call('GET /v1/maintenance')).json);
}

async function main(): Promise<void> {
  const ends: (() => unknown)[] = [];
  const t = { teardown: (end: () => unknown) => ends.unshift(end) } as unknown as Test;
  const dataDir = await mkdtemp(join(tmpdir(), 'nearcast-golden-'));
  await mkdir(dir, { recursive: true });
  try {
    // Steering's address must be known to the control plane, which steering must know first: the port is chosen here.
    const steeringPort = 17_071;
    const flags = ['--ingest-roots', dataDir, '--steering-url', `http://127.0.0.1:${String(steeringPort)}`];
    const plane = await startPlane(t, { dataDir, flags });
    const body = { role: 'steering', name: 'steering' };
    const code = (await plane.call('POST /v1/enrolment-codes', { body })).as(EnrolmentCodeReply).code;
    const home = join(dataDir, 'steering');
    const more = ['--port', String(steeringPort)];
    const process = await startSteering({ dataDir: home, controlUrl: plane.url, code, more });
    ends.unshift(() => process.stop());
    await recordEnrolment(plane);
    const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
    const watcher = await enrolNode(plane, 'steering-2', { role: 'steering' });
    await recordTitles(plane, encoder);
    const title = await addTitle(plane, encoder, { name: 'Film', pinned: true });
    const boxes: TestNode[] = [];
    for (const [name, role] of [
      ['isp-a-1', 'appliance'],
      ['isp-a-2', 'appliance'],
      ['origin', 'origin'],
    ] as const) {
      const node = await enrolNode(plane, name, { role, site: role === 'origin' ? 'origin' : 'isp-a' });
      const box = await startBox(name);
      ends.unshift(() => box.kill());
      const held = name === 'isp-a-2' ? title.files : [];
      const place = { latitude: 52.5, longitude: 13.4 };
      const beat = () =>
        node.beat({ url: box.url, place, holdings: { full: true, added: held, removed: [] } });
      await beat();
      const beating = setInterval(() => void beat().catch(() => undefined), 1000);
      ends.unshift(() => {
        clearInterval(beating);
      });
      boxes.push(node);
    }
    const [first] = boxes;
    if (first === undefined) throw new Error('no box');
    await eventually(
      async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView),
      ({ state }) => state === 'live',
    );
    await keep('TitleView', (await plane.call(`GET /v1/titles/${title.id}`)).json);
    await recordFill(plane, first, title.files);
    await recordServed(plane, first);
    await recordPlayback(plane, title.id);
    const again = await plane.call('POST /v1/playback-sessions', { body: { titleId: title.id } });
    const session = again.as(PlaybackSession).steeringUrl;
    await recordSteering(plane, { url: process.url, bundle: title.bundle, session });
    await recordDocuments(plane, watcher);
    await recordNodes(plane, first);
    await keep('Heartbeat', sampleHeartbeat(plane));
    await recordMaintenance(plane);
    await recordWithdrawal(plane, first, title.id);
  } finally {
    for (const end of ends) await end();
    await rm(dataDir, { recursive: true, force: true });
  }
  if (schemas.size > 0) throw new Error(`not recorded: ${[...schemas.keys()].join(', ')}`);
}

function sampleReport(plane: TestPlane): object {
  return {
    ...{
      sentAtMs: plane.clock.nowMs(),
      state: 'draining',
      drainEtaMs: 30_000,
      headroom: 0.25,
      level: 'shed-fill',
    },
    ...{ liveRequests: 12, liveSessions: 40, connections: 44, failures: 2, disks: { serving: 3, all: 4 } },
    reasons: ['DISK_FAILED: /srv/disk-4'],
  };
}

function sampleHeartbeat(plane: TestPlane): object {
  return {
    ...{ sequence: 7, incarnation: 'Zm9vYmFyYmF6', sentAtMs: plane.clock.nowMs(), state: 'ready' },
    ...{ url: 'http://127.0.1.1:8080', addresses: ['127.0.1.1', '2001:db8::1'] },
    place: { latitude: 52.5, longitude: 13.4 },
    routes: [
      { prefix: '198.51.100.0/24', asPathLength: 0, med: 10, class: 'embedded' },
      { prefix: '2001:db8:a::/48', asPathLength: 1, class: 'private' },
    ],
    ...{ capacityBytes: 10_000_000, usedBytes: 5000, headroom: 0.9, liveRequests: 2 },
    holdings: { full: false, added: ['a'.repeat(64)], removed: ['b'.repeat(64)] },
    // Boxes from before served reports send this.
    servedBytes: [{ file: 'a'.repeat(64), bytes: 123_456 }],
    ...{ fillManifestSequence: 3, revocationsSequence: 1, reasons: ['STORE_UNAVAILABLE: disk 2'] },
  };
}

await main();

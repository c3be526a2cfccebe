import t from 'tap';

import { FillExplainView, FillPlanView, FillReportView } from '../../../../common/contract/fill.ts';
import { TitleView } from '../../../../common/contract/titles.ts';
import { addTitle, type AddedTitle } from '../../support/add-title.ts';
import { eventually, type TestNode, type TestPlane } from '../../support/control-plane.ts';
import { manifestWithFiles, startFleet } from '../../support/fleet.ts';

async function dryRun(plane: TestPlane, site?: string): Promise<FillPlanView> {
  return (await plane.call(`GET /v1/fill/plan${site === undefined ? '' : `?site=${site}`}`)).as(FillPlanView);
}

async function reportOf(plane: TestPlane, query = ''): Promise<FillReportView> {
  return (await plane.call(`GET /v1/fill/report${query}`)).as(FillReportView);
}

async function explain(plane: TestPlane, appliance: string, file: string): Promise<FillExplainView> {
  return (await plane.call(`GET /v1/fill/explain?appliance=${appliance}&file=${file}`)).as(FillExplainView);
}

/** Says that a node holds these files and nothing else. */
async function holds(node: TestNode, files: readonly string[]): Promise<void> {
  await node.beat({ holdings: { full: true, added: [...files], removed: [] } });
}

t.test('a dry run says who would fetch what from whom, what that costs and what it gains', async (t) => {
  const { plane, encoder, a1, a2, b1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  await manifestWithFiles(plane, a1, title.files.length);
  const empty = await dryRun(plane);
  const files = title.files.length;
  t.match(empty.churn, { addBytes: 3 * title.sizeBytes, deleteBytes: 0, heldBytes: 0 });
  t.equal(empty.hit, undefined, 'nobody has watched anything');
  t.same(empty.links, [
    // Each cluster's fill master goes to the origin, its mates to the master.
    { kind: 'peer', from: 'isp-a', to: 'isp-a', files, bytes: title.sizeBytes },
    { kind: 'origin', from: 'origin', to: 'isp-a', files, bytes: title.sizeBytes },
    { kind: 'origin', from: 'origin', to: 'isp-b', files, bytes: title.sizeBytes },
  ]);
  await holds(a1, title.files);
  for (const box of [a1, b1]) await box.serve(Object.fromEntries(title.files.map((file) => [file, 1000])));
  const stranger = 'e'.repeat(64);
  await holds(b1, [stranger]);
  const popular = async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView).popularity;
  await eventually(popular, (value) => value > 0);
  const half = await dryRun(plane);
  t.match(half.appliances, [
    { id: 'isp-a-1', addFiles: 0, keeps: files, deleteFiles: 0 },
    {
      id: 'isp-a-2',
      addFiles: files,
      addBytes: title.sizeBytes,
      adds: [{ from: { kind: 'peer', node: a1.id } }],
    },
    { id: 'isp-b-1', addFiles: files, adds: [{ from: { kind: 'tier', node: a1.id } }], deleteFiles: 1 },
  ]);
  // Popularity fades while it is looked at.
  t.equal(half.hit?.now.toFixed(3), '0.500', 'one of two clusters holds all that is asked for');
  t.equal(half.hit?.after, 1);
  t.equal(half.churn.heldBytes, title.sizeBytes);
  const site = await dryRun(plane, 'isp-b');
  t.match(site, { appliances: [{ id: 'isp-b-1' }], links: [{ kind: 'tier', to: 'isp-b' }], hit: { now: 0 } });
  t.equal(site.appliances.length, 1);
  await holds(a2, title.files);
  t.same((await dryRun(plane, 'isp-a')).links, [], 'nothing is left to fetch there');
});

t.test('a plan is put into force by asking for it, a dry run leaves everything as it is', async (t) => {
  const { plane, encoder, a1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { sequence } = await manifestWithFiles(plane, a1, title.files.length);
  await a1.beat({ capacityBytes: 1000 });
  const dry = await dryRun(plane);
  t.equal(dry.appliances[0]?.plannedBytes, 0);
  const planned = (await plane.call('POST /v1/fill/plan?site=isp-a')).as(FillPlanView);
  t.match(planned.appliances, [{ id: 'isp-a-1', plannedBytes: 0 }, { id: 'isp-a-2' }]);
  t.match((await a1.beat()).json, { fillManifestSequence: sequence + 1 });
});

/** A report of one file that was held and one that failed. */
function outcomesOf(title: AddedTitle, nowMs: number): object[] {
  const times = { startedAtMs: nowMs - 10_000, endedAtMs: nowMs };
  const common = { sizeBytes: 3000, ...times, chunksVerified: 1, chunksRefused: 0, resumedBytes: 0 };
  return [
    {
      ...{ ...common, file: title.files[0], outcome: 'held' },
      bytesBySource: [{ kind: 'origin', node: 'origin', bytes: 10_000 }],
    },
    {
      ...{ ...common, file: title.files[1], outcome: 'failed', bytesBySource: [] },
      ...{ code: 'FILE_CORRUPT', detail: 'the manifest says 3000 bytes, the file has 30' },
    },
  ];
}

t.test(
  'a report tells what is missing and when it will come: by the rate so far, the caps and the window',
  async (t) => {
    const { plane, encoder, a1 } = await startFleet(t);
    const title = await addTitle(plane, encoder, { name: 'Film' });
    const { sequence } = await manifestWithFiles(plane, a1, title.files.length);
    const unknown = await reportOf(plane, '?appliance=isp-a-1');
    t.equal(unknown.appliances.length, 1);
    t.match(unknown.appliances[0], { missingFiles: title.files.length, missingBytes: title.sizeBytes });
    t.equal(unknown.appliances[0]?.etaMs, undefined, 'nothing tells how fast it will go');
    const nowMs = plane.clock.nowMs();
    const report = { id: 'report-0001', manifestSequence: sequence, outcomes: outcomesOf(title, nowMs) };
    await a1.call('POST /v1/nodes/isp-a-1/fill-reports', { body: report });
    await holds(a1, title.files.slice(0, 1));
    const [own] = (await reportOf(plane, '?site=isp-a')).appliances;
    const left = own?.missingBytes ?? 0;
    const comesInMs = (ms: number | undefined): number => (ms ?? 0) - plane.clock.nowMs();
    // 10,000 bytes in 10 s.
    t.ok(Math.abs(comesInMs(own?.etaMs) - left) < 5000, `${comesInMs(own?.etaMs)} ms for ${left} bytes`);
    t.match(own?.failures, [
      {
        file: title.files[1],
        title: 'Film',
        code: 'FILE_CORRUPT',
        detail: /the file has 30/,
        heldNow: false,
      },
    ]);
    const etas = own?.missing.map(({ etaMs }) => etaMs ?? 0) ?? [];
    t.same(
      etas,
      etas.toSorted((a, b) => a - b),
      'they come in the order in which they are wanted',
    );
    await plane.call('PATCH /v1/fill/sites/isp-a', { body: { applianceCapBytesPerSecond: 10 } });
    const capped = (await reportOf(plane, '?appliance=isp-a-1')).appliances[0];
    t.ok(comesInMs(capped?.etaMs) > 90 * left, 'a cap makes it later');
    // A window that is closed for the next hours at least.
    const opensMinute = (new Date().getUTCHours() * 60 + 12 * 60) % 1440;
    const hours = { startMinute: opensMinute, endMinute: (opensMinute + 60) % 1440 };
    await plane.call('PATCH /v1/fill/sites/isp-a', { body: { hours, timeZone: 'UTC', jitterMinutes: 0 } });
    const waiting = (await reportOf(plane, '?appliance=isp-a-1')).appliances[0];
    const opensMs = waiting?.opensMs ?? 0;
    t.equal(new Date(opensMs).getUTCHours(), opensMinute / 60);
    t.match(waiting?.missing.at(-1)?.why, /opens at \d{4}-/);
    t.ok((waiting?.etaMs ?? 0) > opensMs);
    await plane.call(`PATCH /v1/titles/${title.id}`, { body: { urgent: true } });
    await plane.call('POST /v1/fill/plan');
    const urgent = (await reportOf(plane, '?appliance=isp-a-1')).appliances[0];
    t.match(urgent?.missing.at(-1)?.why, /on its way/, 'the window does not hold what is urgent');
  },
);

t.test('the report of a night', async (t) => {
  const { plane, encoder, a1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { sequence } = await manifestWithFiles(plane, a1, title.files.length);
  const nowMs = plane.clock.nowMs();
  const report = { id: 'report-0001', manifestSequence: sequence, outcomes: outcomesOf(title, nowMs) };
  await a1.call('POST /v1/nodes/isp-a-1/fill-reports', { body: report });
  await plane.call('PATCH /v1/fill/sites/isp-a', { body: { timeZone: 'Asia/Tokyo' } });
  const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  // 18:00 in Tokyo is 09:00 UTC.
  const tonight = dateOf(nowMs + 15 * 3_600_000);
  const view = await reportOf(plane, `?night=${tonight}&site=isp-a`);
  t.equal(view.untilMs, Date.parse(`${tonight}T09:00Z`));
  t.equal(view.untilMs - view.sinceMs, 86_400_000);
  t.equal(view.appliances[0]?.bytesByKind.origin, 10_000);
  const before = await reportOf(
    plane,
    `?night=${dateOf(Date.parse(tonight) - 86_400_000)}&appliance=isp-a-1`,
  );
  t.match(before.appliances, [{ bytesByKind: { origin: 0 }, failures: [] }]);
  t.equal(
    (await reportOf(plane, `?night=${tonight}`)).untilMs,
    Date.parse(`${tonight}T18:00Z`),
    'UTC for all',
  );
  for (const query of ['night=2026-02-30', 'night=tonight', 'appliance=nobody', 'appliance=origin']) {
    const answer = await plane.call(`GET /v1/fill/report?${query}`);
    t.match(answer.json, { code: /^(INVALID|NODE_UNKNOWN)$/ }, query);
  }
});

t.test('explain: on the list or not, held or not, why, from where and when', async (t) => {
  const { plane, encoder, a1, a2 } = await startFleet(t, ['--placement-copies-min', '1']);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const planned = async () =>
    (await dryRun(plane, 'isp-a')).appliances.filter(({ plannedBytes }) => plannedBytes > 0);
  const [one] = await eventually(planned, (boxes) => boxes.length === 1);
  const [on, off] = one?.id === a1.id ? [a1, a2] : [a2, a1];
  await manifestWithFiles(plane, on, title.files.length);
  const missing = await explain(plane, on.id, title.bundle);
  t.equal(missing.files.length, title.files.length, 'every file of the bundle');
  t.match(missing, {
    title: 'Film',
    files: [{ isHeld: false, isPlanned: true, why: /^on its list \(popularity/ }],
  });
  t.match(missing.files[0]?.ways, [{ kind: 'origin', node: 'origin' }]);
  t.match(missing.files[0]?.why, /missing: on its way/);
  const [file = ''] = title.files;
  const absent = await explain(plane, off.id, file);
  t.match(absent.files, [
    {
      file,
      isHeld: false,
      isPlanned: false,
      why: `not on its list: the cluster's copies are on ${on.id}`,
      ways: [],
    },
  ]);
  await holds(on, title.files);
  t.match((await explain(plane, on.id, file)).files, [{ isHeld: true, isPlanned: true, ways: [] }]);
  await holds(off, [file, 'e'.repeat(64)]);
  t.match((await explain(plane, off.id, file)).files, [{ isHeld: true, why: /held still/ }]);
  const stranger = await explain(plane, off.id, 'e'.repeat(64));
  t.match(stranger.files, [{ isHeld: true, isPlanned: false, why: /of no published title/ }]);
  const unknown = await plane.call(`GET /v1/fill/explain?appliance=${on.id}&file=${'f'.repeat(64)}`);
  t.match(unknown, { status: 404, json: { code: 'FILE_UNKNOWN' } });
  const nobody = await plane.call(`GET /v1/fill/explain?appliance=nobody&file=${file}`);
  t.match(nobody, { status: 404, json: { code: 'NODE_UNKNOWN' } });
});

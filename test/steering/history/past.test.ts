import { join } from 'node:path';
import { readFile, writeFile } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { createLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import { documentTypes } from '../../../common/contract/documents.ts';
import type { NodeHealth } from '../../../steering/core/health.ts';
import { explain } from '../../../steering/core/explain.ts';
import { rankPolicyDefault } from '../../../steering/core/rank.ts';
import { Ranker } from '../../../steering/core/ranker.ts';
import { createBrain } from '../../../steering/brain.ts';
import { listSegments } from '../../../steering/history/journal-files.ts';
import { Journal } from '../../../steering/history/journal.ts';
import { momentAt, parseRecord, recordingOf } from '../../../steering/history/past.ts';
import { compilePast } from '../../../steering/history/past-view.ts';
import { Recorder } from '../../../steering/history/recorder.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { replayDecisions, type ReplayRequest } from '../../../steering/lab.ts';
import { openTableStore } from '../../../steering/map/table-store.ts';
import {
  address,
  appliance,
  bundleOf,
  mapOf,
  origin,
  payloadOf,
  viewOf,
  wireOf,
  type TestMap,
} from '../../support/steering-maps.ts';

const bundle = bundleOf('0');
const client = address('10.1.2.3');
const startMs = Date.UTC(2026, 10, 21, 20);
const healthOf = (verdict: NodeHealth['verdict'], sinceMs: number): NodeHealth => ({
  ...{ verdict, reason: `it is ${verdict}`, sinceMs },
});

/** A brain that records, over maps and health that a test sets. */
async function lab(test: Test) {
  const directory = join(test.testdir(), 'history');
  const tables = await openTableStore(join(test.testdir(), 'tables'), 2 ** 30);
  const clock = createManualClock({ nowMs: startMs });
  const log = createLog({ name: 'test', write: () => undefined });
  const key = generateKey();
  const health = new Map<string, NodeHealth>();
  let view: SteeringView | undefined;
  const recorder: Recorder = new Recorder({
    ...{ policy: rankPolicyDefault, placeUnknown: undefined, clock, fraction: () => 0.5 },
    ...{ health: () => health, outlook: () => brain.outlook() },
  });
  const ttl = { healthyS: 30, healthySpread: 0, incidentMinS: 5, incidentMaxS: 5 };
  const brain = createBrain({
    ...{
      view: () => view,
      monitor: { health: () => health, holding: () => false },
      policy: rankPolicyDefault,
    },
    ...{ ttl, dnsTtl: ttl, placeUnknown: undefined, changedAtMs: () => undefined, incidentMs: 0 },
    ...{ isConnected: () => true, clock, fraction: () => 0.5, decisions: recorder },
  });
  const journal = new Journal({
    ...{ directory, clock, log, opening: () => recorder.opening(), keepMs: 48 * 3_600_000 },
    ...{ bytesMax: 2 ** 30, segmentMs: 600_000, segmentBytes: 2 ** 30 },
  });
  await journal.open();
  recorder.writeTo(journal);
  const over = new AbortController();
  const running = journal.run(over.signal);
  const setMap = async (map: TestMap, sequence: number) => {
    const wire = wireOf(map);
    for (const [name, bytes] of wire.tables) await tables.write(name, bytes);
    const payload = payloadOf(wire.body, sequence);
    recorder.mapTaken(await signDocument(documentTypes.steeringMap, payload, key));
    view = viewOf(map, sequence);
  };
  const pass = async (ms: number) => {
    recorder.look();
    await clock.advance(ms);
  };
  const close = async () => {
    over.abort();
    await running;
  };
  return { directory, tables, clock, brain, health, setMap, pass, close };
}

const addresses = ['192.0.2.1'];
const boxes = [
  appliance('a', { addresses }),
  appliance('b', { addresses, site: 'site-b' }),
  origin('origin', { addresses }),
];

t.test('what was in force at a time is found again, in any segment of the journal', async (test) => {
  const { directory, tables, brain, health, setMap, pass, close } = await lab(test);
  await setMap(mapOf(boxes), 1);
  for (const id of ['a', 'b', 'origin']) health.set(id, healthOf('up', startMs));
  await pass(10_000);
  const first = brain.rank({ client, bundle })?.map(({ id }) => id);
  health.set('a', healthOf('down', startMs + 10_000));
  await pass(900_000);
  await setMap(mapOf([appliance('c'), ...boxes.slice(1)]), 2);
  health.delete('a');
  health.set('c', healthOf('up', startMs + 910_000));
  await pass(1000);
  const last = brain.rank({ client, bundle })?.map(({ id }) => id);
  await close();

  const at = async (ms: number) => {
    const moment = await momentAt(directory, startMs + ms);
    const { payload } = moment;
    if (payload === undefined) throw new TypeError('a moment has a map');
    const view = await compilePast(payload, (name) => tables.read(name));
    const state = moment.state(view, moment.policy.headroomMin);
    const { policy } = moment;
    const past = {
      view,
      ranker: new Ranker(view, policy),
      state,
      health: moment.health(),
      policy,
      client,
      bundle,
    };
    return explain(past, startMs + ms);
  };
  const early = await at(5000);
  test.same(early.pathways.map(({ id }) => id), first); // prettier-ignore
  const late = await at(60_000);
  test.equal(late.mapSequence, 1);
  test.match(
    late.candidates.find(({ id }) => id === 'a'),
    { removedBy: 'unhealthy', detail: 'it is down' },
  );
  const now = await at(910_500);
  test.equal(now.mapSequence, 2);
  test.same(now.pathways.map(({ id }) => id), last); // prettier-ignore
  await test.rejects(at(-1000), { code: 'HISTORY_GONE' });
});

t.test('a recording holds the decisions of its span, what they depended on, and no viewer', async (test) => {
  const { directory, tables, brain, health, setMap, pass, close } = await lab(test);
  await setMap(mapOf(boxes), 1);
  health.set('a', healthOf('up', startMs));
  for (let second = 0; second < 30; second++) {
    brain.rank({ client, bundle });
    brain.steer(client, 4, undefined);
    await pass(1000);
  }
  await close();
  const span = { fromMs: startMs + 10_000, toMs: startMs + 20_000 };
  const packed = async (name: string) => packRouteTable((await tables.read(name)) ?? new Uint8Array());
  const lines = await Array.fromAsync(recordingOf(directory, span, packed));
  const records = lines.map(parseRecord);
  const decisions = records.filter((record) => record.kind === 'decision');
  const all = decisions.reduce((sum, { weight }) => sum + weight, 0);
  test.ok(all >= 15 && all <= 25, `${decisions.length} samples of ${all} decisions`);
  test.ok(decisions.every(({ atMs }) => atMs >= span.fromMs && atMs <= span.toMs));
  test.match(decisions[0], { client: '10.1.2.0/24', family: 4, sequence: 1, ways: [/^[ab]$/] });
  test.same(new Set(decisions.map(({ output }) => output)), new Set(['http', 'dns']));
  test.notMatch(lines.join(), /10\.1\.2\.3/);
  const kinds = new Set(records.map(({ kind }) => kind));
  test.same(kinds, new Set(['policy', 'table', 'map', 'health', 'kept', 'decision']));
  await test.rejects(Array.fromAsync(recordingOf(directory, { fromMs: 0, toMs: 1 }, packed)), {
    code: 'HISTORY_GONE',
  });

  const file = join(test.testdir(), 'recording');
  await writeFile(file, zstdCompressSync(lines.map((line) => `${line}\n`).join('')));
  const replay = (change: Partial<ReplayRequest>) =>
    replayDecisions({ file, without: [], signal: new AbortController().signal, ...change });
  const unchanged = await replay({});
  test.match(unchanged, { decisions: all, samples: decisions.length, fidelity: 1, moved: 0, moves: [] });
  const [{ id: busiest = '' } = {}] = unchanged.boxes.toSorted((a, b) => b.before - a.before);
  const changed = await replay({ without: [busiest] });
  const busy = unchanged.boxes.find(({ id }) => id === busiest);
  test.equal(
    changed.boxes.find(({ id }) => id === busiest)?.after,
    0,
    'nobody is sent to a box that is gone',
  );
  test.equal(Math.round(changed.moved * all), busy?.before, 'and nobody else moves');
  await test.rejects(replay({ rankOrder: ['luck'] }), { code: 'INVALID' });
  await test.rejects(replay({ file: `${file}.none` }), { code: 'INVALID' });
  await writeFile(file, 'no recording');
  await test.rejects(replay({}), { code: 'STORE_CORRUPT' });
});

t.test('a clock that is set back costs nothing of what comes after it', async (test) => {
  const { directory, brain, clock, health, setMap, pass, close } = await lab(test);
  await setMap(mapOf(boxes), 1);
  health.set('a', healthOf('up', startMs));
  await pass(1000);
  clock.jumpWall(-3_600_000);
  // The map in force was taken an hour from now.
  await pass(900_000);
  brain.rank({ client, bundle });
  await pass(1000);
  await close();
  const segments = await listSegments(directory);
  const lastMs = segments.findLast(({ startMs: beginMs }) => beginMs < startMs)?.startMs ?? 0;
  const moment = await momentAt(directory, lastMs);
  test.match([moment.payload?.sequence, moment.health().get('a')?.verdict], [1, 'up']);
  const lines = await Array.fromAsync(
    recordingOf(directory, { fromMs: lastMs, toMs: lastMs + 60_000 }, () => Promise.resolve(undefined)),
  );
  const kinds = lines.map((line) => parseRecord(line).kind);
  test.ok(kinds.includes('map') && kinds.includes('decision'), kinds.join());
});

t.test('where the journal is damaged it says so, and goes on with its next segment', async (test) => {
  const { directory, tables, brain, health, setMap, pass, close } = await lab(test);
  await setMap(mapOf(boxes), 1);
  for (let minute = 0; minute < 15; minute++) {
    health.set('a', healthOf(minute % 2 === 0 ? 'up' : 'down', startMs + minute * 60_000));
    for (let second = 0; second < 60; second++) {
      brain.rank({ client, bundle });
      await pass(1000);
    }
  }
  await close();
  const [first, second] = await listSegments(directory);
  const path = first?.path ?? '';
  const bytes = await readFile(path);
  const middle = bytes.length >> 1;
  bytes.fill(0xff, middle, middle + 64);
  await writeFile(path, bytes);

  const early = await momentAt(directory, startMs + 30_000);
  test.equal(early.health().get('a')?.verdict, 'up', 'what lies before is told');
  await test.rejects(momentAt(directory, (second?.startMs ?? 0) - 1), {
    code: 'HISTORY_GONE',
    message:
      /the journal is damaged, or its process had died: nothing can be told from \S+ until 2026-11-21T20:10/,
  });
  const late = await momentAt(directory, startMs + 14.5 * 60_000);
  test.equal(late.health().get('a')?.verdict, 'up');
  test.equal((await momentAt(directory, startMs + 13.5 * 60_000)).health().get('a')?.verdict, 'down');

  const packed = async (name: string) => packRouteTable((await tables.read(name)) ?? new Uint8Array());
  const span = { fromMs: startMs, toMs: startMs + 900_000 };
  const lines = await Array.fromAsync(recordingOf(directory, span, packed));
  const file = join(test.testdir(), 'recording');
  const text = lines.map((line) => `${line}\n`).join('');
  await writeFile(file, zstdCompressSync(text));
  const request = { file, without: [], signal: new AbortController().signal };
  const { lost, samples, fidelity } = await replayDecisions(request);
  test.match(lost, [{ fromMs: Number, untilMs: second?.startMs }]);
  const [{ fromMs = 0, untilMs = 0 } = {}] = lost;
  const atMs = lines
    .map(parseRecord)
    .filter(({ kind }) => kind === 'decision')
    .map((record) => ('atMs' in record ? record.atMs : 0));
  test.ok(atMs.some((ms) => ms < fromMs) && atMs.some((ms) => ms > untilMs));
  test.notOk(atMs.some((ms) => ms > fromMs && ms < untilMs));
  test.match({ samples, fidelity }, { samples: atMs.length, fidelity: 1 });
  await writeFile(file, zstdCompressSync(text).subarray(0, -3).fill(0xff, 400, 464));
  await test.rejects(replayDecisions(request), { code: 'STORE_CORRUPT' });
});

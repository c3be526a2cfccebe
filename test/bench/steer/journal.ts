// `journal.ts FOLDER MINUTES CHANGES`: what a steering node writes to its journal in so many minutes of an evening, over the map that
// `prepare.ts` wrote: by its own recorder and journal, to a real disk, on a clock that runs faster. And what it keeps of the tables of the
// past after so many changes of boxes' routes. Prints as JSON how many bytes that took.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import type { DocumentPayload, SteeringMap } from '../../../common/contract/documents.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { samplesPerSecond } from '../../../steering/core/decision-sampler.ts';
import { unprobed, type NodeHealth } from '../../../steering/core/health.ts';
import { keptShare, loadPolicyOf } from '../../../steering/core/load.ts';
import { rankPolicyDefault } from '../../../steering/core/rank.ts';
import { listSegments } from '../../../steering/history/journal-files.ts';
import { createJournal } from '../../../steering/history/history-part.ts';
import { Recorder } from '../../../steering/history/recorder.ts';
import type { Outlook } from '../../../steering/outlook.ts';
import { pick, seededRandom } from '../../support/seeded.ts';
import { measureTables } from './past-tables.ts';
import { bundleAt, bundleCount } from './world.ts';

/** What one run wrote. */
export interface JournalRun {
  readonly minutes: number;
  readonly maps: number;
  readonly bytes: number;
  /** Of the tables in force, and of one of the past. */
  readonly wholeBytes: number;
  readonly changeBytes: number;
}

/** The control plane publishes a box's headroom when it is another by so much. */
const publishedStep = 0.1;
/** A box's load goes to and fro about its daily curve: by so much, and for so long. */
const swing = 0.03;
const swingSeconds = 60;
/** Share in use at the beginning of the evening, and what an hour adds to it. */
const usedFrom = 0.35;
const usedPerHour = 0.1;
/** How often a box is lost for a moment, a day. */
const lossesPerDay = 2;

const [folder = '', minutes = '60', changes = '200'] = process.argv.slice(2);
const random = seededRandom(11);
const clock = createManualClock({ nowMs: Date.UTC(2026, 10, 22, 18) });
const directory = await mkdtemp(join(tmpdir(), 'bench-journal-'));
const [, payload = ''] = (await readFile(join(folder, 'steering-map.jws'), 'utf8')).split('.');
const first = JSON.parse(Buffer.from(payload, 'base64url').toString()) as DocumentPayload<SteeringMap>;
const boxes = first.body.appliances.map((box) => ({ ...box }));
const swings = new Float64Array(boxes.length);
const means = Float64Array.from(boxes, () => usedFrom + 0.3 * random());
const health = new Map<string, NodeHealth>();
const kept = new Float64Array(boxes.length).fill(1);
const { headroomMin } = rankPolicyDefault;
const load = loadPolicyOf(headroomMin);
const outlook = { view: { appliances: boxes }, state: { kept } } as unknown as Outlook;
const recorder = new Recorder({
  ...{ policy: rankPolicyDefault, placeUnknown: undefined, clock, fraction: random },
  health: () => health,
  outlook: () => outlook,
});
const journal = createJournal({ directory, keepHours: 48, recorder, clock, log: createLog({ name: 'bench', level: 'error' }) }); // prettier-ignore

let sequence = first.sequence;
let maps = 0;
function publish(): void {
  sequence++;
  maps++;
  const next = { ...first, sequence, issuedAtMs: clock.nowMs(), notAfterMs: clock.nowMs() + 72 * 3_600_000, body: { ...first.body, appliances: boxes } }; // prettier-ignore
  recorder.mapTaken(`.${Buffer.from(JSON.stringify(next)).toString('base64url')}.`);
}

/** A normal number, about: the sum of three. */
const normal = (): number => 2 * (random() + random() + random() - 1.5);

/** One second of the evening. */
function live(second: number): void {
  let published = false;
  const pull = 1 / swingSeconds;
  for (const [index, box] of boxes.entries()) {
    const swung = swings[index] ?? 0;
    swings[index] = swung - pull * swung + swing * Math.sqrt(2 * pull) * normal();
    const used = (means[index] ?? 0) + (usedPerHour * second) / 3600 + (swings[index] ?? 0);
    const headroom = Math.min(1, Math.max(0, 1 - used));
    kept[index] = box.role === 'origin' ? 1 : keptShare(used, load);
    const isLost = random() < lossesPerDay / 86_400;
    const before = health.get(box.id);
    const state = { ...unprobed(clock.monotonicMs()), verdict: isLost ? 'down' : 'up', reason: isLost ? 'ECONNREFUSED' : 'it answers' } as const; // prettier-ignore
    const sinceMs = before?.verdict === state.verdict ? before.sinceMs : clock.nowMs();
    health.set(box.id, { ...state, sinceMs, said: { headroom, unwell: undefined } });
    if (Math.abs(headroom - box.headroom) < publishedStep) continue;
    box.headroom = headroom;
    published = true;
  }
  if (published) publish();
  for (let at = 0; at < samplesPerSecond; at++) {
    const client = [1 + pick(random, 223), pick(random, 256), pick(random, 256), 0].join('.');
    const ways = Array.from({ length: 4 }, () => boxes[pick(random, boxes.length)]?.id ?? '');
    const bundle = bundleAt(pick(random, bundleCount));
    recorder.add(400, { output: 'http', client: `${client}/24`, family: 4, bundle, sequence, ways });
  }
}

try {
  await journal.open();
  recorder.writeTo(journal);
  const over = new AbortController();
  const running = Promise.all([recorder.run(over.signal), journal.run(over.signal)]);
  for (let second = 0; second < 60 * Number(minutes); second++) {
    live(second);
    await clock.advance(1000);
    // What is compressed is compressed in other threads, which have less time here than there.
    while (journal.waitingBytes > 0) await setImmediate();
  }
  over.abort();
  await clock.advance(1000);
  await running;
  if (journal.dropped > 0) throw new Error(`${journal.dropped} lines were dropped`);
  const segments = await listSegments(directory);
  const bytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const tables = await measureTables(first.body, { from: join(folder, 'map-tables'), to: join(directory, 'tables'), changes: Number(changes) }); // prettier-ignore
  const run: JournalRun = { minutes: Number(minutes), maps, bytes, ...tables };
  process.stdout.write(`${JSON.stringify(run)}\n`);
} finally {
  await rm(directory, { recursive: true, force: true });
}

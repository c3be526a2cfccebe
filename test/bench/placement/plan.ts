// Plans a fleet's first night and its second, and prints as JSON how long each took and how much memory. A process of its
// own, so that the memory is the plan's; `FILES APPLIANCES MODE` are its arguments.
import assert from 'node:assert/strict';

import { placeCluster } from '../../../control-plane/core/placement/place-cluster.ts';
import {
  makeBoxes,
  makeCatalog,
  planModes,
  rate,
  settingsOf,
  siteCount,
  type FleetSize,
  type PlanMode,
} from './fleet.ts';

/** What one run measured. */
export interface PlanRun {
  /** From empty boxes, and a night later with what they hold. */
  readonly first: PlanTime;
  readonly night: PlanTime;
  readonly rssMiB: number;
  readonly placedFiles: number;
  readonly placedAgain: number;
  /** Share of the planned bytes that the second night adds. */
  readonly addedShare: number;
}

/** By the clock, and of the processor: less than that on a machine that does other things besides. */
export interface PlanTime {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const [files = 0, appliances = 0] = process.argv.slice(2, 4).map(Number);
const mode = process.argv[4];
assert(isMode(mode), `MODE is one of ${Object.keys(planModes).join(', ')}`);
const settings = settingsOf(mode);
const size: FleetSize = { files, appliances };
const catalog = makeCatalog(size);
const popularity = new Float64Array(catalog.fileCount);
const held: Uint32Array[][] = Array.from({ length: siteCount(size) }, () => []);

function isMode(text: string | undefined): text is PlanMode {
  return text !== undefined && Object.hasOwn(planModes, text);
}

/** Plans every site; says for how long. Making the demand is not part of it. */
function planNight(night: number): PlanTime {
  let spentMs = 0;
  let cpuMicros = 0;
  for (let site = 0; site < held.length; site++) {
    rate(popularity, { site, night });
    const boxes = makeBoxes(site, held[site] ?? []);
    const startedMs = performance.now();
    const started = process.cpuUsage();
    const placement = placeCluster(catalog, { boxes, popularity, settings });
    const { user, system } = process.cpuUsage(started);
    spentMs += performance.now() - startedMs;
    cpuMicros += user + system;
    check(placement.freeBytes);
    const before = held[site] ?? [];
    held[site] = placement.boxes.map((box) => box.files);
    placement.boxes.forEach((box, at) => {
      count(box.files, before[at]);
    });
  }
  return { seconds: spentMs / 1000, cpuSeconds: cpuMicros / 1e6 };
}

let plannedBytes = 0;
let addedBytes = 0;

function count(planned: Uint32Array, before: Uint32Array | undefined): void {
  if (before === undefined) return;
  const known = new Uint8Array(catalog.fileCount);
  for (const file of before) known[file] = 1;
  for (const file of planned) {
    const bytes = catalog.fileBytes[file] ?? 0;
    plannedBytes += bytes;
    if (known[file] === 0) addedBytes += bytes;
  }
}

function check(freeBytes: Float64Array): void {
  assert(
    freeBytes.every((free) => free >= 0),
    'no box is told to hold more than it can',
  );
}

const placedCount = (): number => held.flat().reduce((sum, { length }) => sum + length, 0);
const first = planNight(0);
const placedFiles = placedCount();
const night = planNight(1);
const run: PlanRun = {
  first,
  night,
  rssMiB: process.resourceUsage().maxRSS / 1024,
  placedFiles,
  placedAgain: placedCount(),
  addedShare: addedBytes / plannedBytes,
};
process.stdout.write(`${JSON.stringify(run)}\n`);

// `./dev bench steer`: the steering map at full size: how long it takes to load and how much memory, how many addresses are looked up
// and ways ranked in a second on one core, and how long an update holds up who answers.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { steadyHeapFlags } from '../../common/runtime/heap.ts';
import { lessIsBetter, moreIsBetter, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { pinnedTo } from './serve/server.ts';
import type { JournalRun } from './steer/journal.ts';
import { measureHttp, type HttpRun } from './steer/http.ts';
import type { SteerRun } from './steer/measure.ts';
import { fullWorld, quickWorld, type WorldSize } from './steer/world.ts';

const programOf = (name: string): string => new URL(`steer/${name}.ts`, import.meta.url).pathname;

interface FirstStart {
  readonly loadSeconds: number;
  readonly rssMiB: number;
}

interface Measured {
  readonly world: WorldSize;
  /** Without what an earlier start has left, on all cores. */
  readonly first: FirstStart;
  /** Everything on one core, and with a core of its own for whatever else a process does. */
  readonly pinned: SteerRun;
  readonly free: SteerRun;
  readonly http: HttpRun | undefined;
  readonly journal: JournalRun | undefined;
}

/** How long the past is kept, and how often a box's routes change in it. */
const keptHours = 48;
const changesPerHour = 2;

await runBench('steer', async ({ quick, wants }): Promise<BenchReport> => {
  const world = quick ? quickWorld : fullWorld;
  const folder = await mkdtemp(join(tmpdir(), 'bench-steer-'));
  try {
    const { prefixes4, prefixes6, appliances } = world;
    execFileSync(process.execPath, [
      programOf('prepare'),
      folder,
      ...[prefixes4, prefixes6, appliances].map(String),
    ]);
    const measure = (under: readonly string[]): SteerRun => {
      const [command = process.execPath, ...argv] = [...under, process.execPath, ...steadyHeapFlags, programOf('measure'), folder, quick ? '3' : '9']; // prettier-ignore
      return JSON.parse(execFileSync(command, argv, { encoding: 'utf8' })) as SteerRun;
    };
    const first = JSON.parse(execFileSync(process.execPath, [programOf('first'), folder], { encoding: 'utf8' })) as FirstStart; // prettier-ignore
    const pinned = measure(pinnedTo(0));
    // A thread that compiles has a core of its own, or the scheduler's time slices are measured.
    const free = measure([]);
    const asks = quick ? { rounds: 1, seconds: 2, sessions: 200 } : { rounds: 5, seconds: 5, sessions: 4000 };
    const http = wants('steer.http.rps') || wants('steer.http.p99') ? await measureHttp(folder, asks) : undefined; // prettier-ignore
    const journal = wants('steer.journal.48h') ? measureJournal(folder, quick ? ['5', '20'] : ['60', '400']) : undefined; // prettier-ignore
    const { figures, ...rest } = report({ world, first, pinned, free, http, journal });
    return { ...rest, figures: figures.filter(({ name }) => wants(name)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** What a node writes of an evening, in so many minutes with so many changes of routes. */
function measureJournal(folder: string, [minutes, changes]: readonly [string, string]): JournalRun {
  const argv = [programOf('journal'), folder, minutes, changes];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as JournalRun;
}

/** What 48 hours of nothing but evenings take on disk. */
function keptMiB({ bytes, minutes, wholeBytes, changeBytes }: JournalRun, { appliances }: WorldSize): number {
  const changes = changesPerHour * keptHours * appliances;
  return ((bytes / minutes) * 60 * keptHours + wholeBytes + changes * changeBytes) / 2 ** 20;
}

function report({ world, first, pinned, free, http, journal }: Measured): BenchReport {
  const more = [
    { name: 'steer.lookup.v4', ours: pinned.lookups4, theirs: 15, unit: 'M/s' },
    { name: 'steer.lookup.v6', ours: pinned.lookups6, theirs: 8, unit: 'M/s' },
    { name: 'steer.rank', ours: pinned.ranks, theirs: 2, unit: 'M/s' },
    ...(http === undefined ? [] : [{ name: 'steer.http.rps', ours: http.rps, theirs: 30_000, unit: '/s' }]),
  ];
  const less = [
    { name: 'steer.map.tries', ours: pinned.triesMiB, theirs: 40, unit: 'MiB' },
    { name: 'steer.map.rss', ours: pinned.rssMiB, theirs: 250, unit: 'MiB' },
    { name: 'steer.map.load', ours: pinned.loadSeconds, theirs: 2, unit: 's' },
    { name: 'steer.update.pause', ours: free.pauseMs, theirs: 5, unit: 'ms' },
    ...(http === undefined ? [] : [{ name: 'steer.http.p99', ours: http.p99Ms, theirs: 5, unit: 'ms' }]),
    ...(journal === undefined
      ? []
      : [{ name: 'steer.journal.48h', ours: keptMiB(journal, world), theirs: 2048, unit: 'MiB' }]),
  ];
  const figures: Figure[] = [
    ...more.map((figure) => moreIsBetter({ ...figure, peer: 'limit', goal: 1 })),
    ...less.map((figure) => lessIsBetter({ ...figure, peer: 'limit', goal: 1 })),
  ];
  const { skewed } = pinned;
  const notes = [
    `${world.prefixes4} IPv4 and ${world.prefixes6} IPv6 prefixes, each announced by six of ${world.appliances} appliances, 10,000 titles; one core.`,
    `Addresses are within the prefixes, any as often as another; a lookup gives the scope too, a client has ${pinned.candidates.toFixed(1)} candidates.`,
    `Where the network of rank n asks in proportion to 1/n: ${skewed.lookups4.toFixed(1)} and ${skewed.lookups6.toFixed(1)} M lookups/s, ${skewed.ranks.toFixed(2)} M ranks/s.`,
    `The map is loaded from disk and verified, its routes as they were merged before; a first start, which merges them, takes ${first.loadSeconds.toFixed(2)} s and ${first.rssMiB.toFixed(0)} MiB. At most ${pinned.peakMiB.toFixed(0)} MiB were resident, updates included.`,
    `An update of a box's routes and of all headrooms is in force after ${free.updateSeconds.toFixed(2)} s, on two cores.`,
    ...(http === undefined ? [] : [httpNote(http)]),
    ...(journal === undefined ? [] : [journalNote(journal)]),
  ];
  const head = ['run', 'load s', 'v4 M/s', 'v6 M/s', 'ranks M/s', 'tries MiB', 'rss MiB', 'peak MiB', 'update s', 'pause ms']; // prettier-ignore
  const rows = Object.entries({ 'one core': pinned, free }).map(([name, of]) => [
    name,
    ...[of.loadSeconds, of.lookups4, of.lookups6, of.ranks, of.triesMiB, of.rssMiB, of.peakMiB, of.updateSeconds, of.pauseMs].map((value) => value.toPrecision(3)), // prettier-ignore
  ]);
  return { figures, notes, details: { head, rows } };
}

function journalNote({ minutes, maps, bytes, changeBytes }: JournalRun): string {
  return (
    `The past: ${minutes} minutes of an evening, in which boxes fill by a tenth an hour and go to and fro by 3 %, with ${maps} maps and 50 decisions a second told, take ${(bytes / 2 ** 20).toFixed(1)} MiB of the journal. ` +
    `Each box's routes change ${changesPerHour} times an hour, one in a thousand of them, and a table of the past takes ${Math.round(changeBytes)} bytes of disk. ${keptHours} hours of evenings are told.`
  );
}

function httpNote({ connections, offered, p50Ms, maxMs, cpuUs }: HttpRun): string {
  return (
    `HTTP: content steering of a whole process on one core that also probes its boxes, asked by another process over ${connections} keep-alive connections. ` +
    `Saturated, an answer takes ${cpuUs.toFixed(1)} µs of the process's processor time, probes and all. At ${Math.round(offered)}/s (70 %, at random moments) the median is ${p50Ms.toFixed(2)} ms and the longest ${maxMs.toFixed(1)} ms.`
  );
}

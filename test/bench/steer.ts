// `./dev bench steer`: the steering map at full size: how long it takes to load and how much memory, how many addresses are looked up
// and ways ranked in a second on one core, and how long an update holds up who answers.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { lessIsBetter, moreIsBetter, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import type { SteerRun } from './steer/measure.ts';
import { fullWorld, quickWorld } from './steer/world.ts';

const programOf = (name: string): string => new URL(`steer/${name}.ts`, import.meta.url).pathname;

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
    const measure = (pinned: readonly string[]): SteerRun => {
      const [command = process.execPath, ...argv] = [...pinned, process.execPath, programOf('measure'), folder, quick ? '3' : '9']; // prettier-ignore
      return JSON.parse(execFileSync(command, argv, { encoding: 'utf8' })) as SteerRun;
    };
    const run = measure(['taskset', '-c', '0']);
    // A thread that compiles has a core of its own, or the scheduler's time slices are measured.
    const free = measure([]);
    const figures: Figure[] = [
      ...[
        { name: 'steer.lookup.v4', ours: run.lookups4, theirs: 15, unit: 'M/s' },
        { name: 'steer.lookup.v6', ours: run.lookups6, theirs: 8, unit: 'M/s' },
        { name: 'steer.rank', ours: run.ranks, theirs: 2, unit: 'M/s' },
      ].map((figure) => moreIsBetter({ ...figure, peer: 'limit', goal: 1 })),
      ...[
        { name: 'steer.map.tries', ours: run.triesMiB, theirs: 40, unit: 'MiB' },
        { name: 'steer.map.rss', ours: run.rssMiB, theirs: 250, unit: 'MiB' },
        { name: 'steer.map.load', ours: run.loadSeconds, theirs: 2, unit: 's' },
        { name: 'steer.update.pause', ours: free.pauseMs, theirs: 5, unit: 'ms' },
      ].map((figure) => lessIsBetter({ ...figure, peer: 'limit', goal: 1 })),
    ].filter(({ name }) => wants(name));
    const notes = [
      `${prefixes4} IPv4 and ${prefixes6} IPv6 prefixes, each announced by six of ${appliances} appliances, 10,000 titles; one core.`,
      `Addresses are within the prefixes; a lookup gives the scope too, a rank judges ${run.candidates.toFixed(1)} candidates.`,
      `The map is loaded from disk, verified and compiled; at most ${run.peakMiB.toFixed(0)} MiB were resident, updates included.`,
      `An update of a box's routes and of all headrooms is in force after ${free.updateSeconds.toFixed(2)} s, on two cores.`,
    ];
    const head = ['run', 'load s', 'v4 M/s', 'v6 M/s', 'ranks M/s', 'tries MiB', 'rss MiB', 'peak MiB', 'update s', 'pause ms']; // prettier-ignore
    const rows = Object.entries({ 'one core': run, free }).map(([name, of]) => [
      name,
      ...[of.loadSeconds, of.lookups4, of.lookups6, of.ranks, of.triesMiB, of.rssMiB, of.peakMiB, of.updateSeconds, of.pauseMs].map((value) => value.toPrecision(3)), // prettier-ignore
    ]);
    return { figures, notes, details: { head, rows } };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

// `./dev bench placement`: how long a plan of the whole fleet takes and how much memory, and how long a box takes to see what
// changes in a night, on one core, in a process of its own. And what planned fill hits and writes beside reactive caches.
import { execFileSync } from 'node:child_process';

import { lessIsBetter, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { measureDiff } from './placement/diff.ts';
import type { PlanMode } from './placement/fleet.ts';
import { measureHits } from './placement/hits.ts';
import type { PlanRun } from './placement/plan.ts';

const planProgram = new URL('placement/plan.ts', import.meta.url).pathname;
const fullSize = { files: 1_000_000, appliances: 1000, heldFiles: 500_000, rounds: 5 };
const quickSize = { files: 50_000, appliances: 50, heldFiles: 50_000, rounds: 3 };

await runBench('placement', async ({ quick, wants }): Promise<BenchReport> => {
  const size = quick ? quickSize : fullSize;
  const figures: Figure[] = [];
  const notes: string[] = [];
  const limit = (name: string, ours: number, [theirs, unit]: readonly [number, string]): void => {
    figures.push(lessIsBetter({ name, ours, peer: 'limit', theirs, unit, goal: 1 }));
  };
  if (wants('placement.plan.seconds') || wants('placement.plan.rss')) {
    const runs = (['whole', 'single'] as const).map((mode) => ({ mode, ...plan(size, mode) }));
    // The slower of both nights, of whole ladders and of single renditions.
    const slowest = Math.max(
      ...runs.flatMap(({ firstSeconds, nightSeconds }) => [firstSeconds, nightSeconds]),
    );
    limit('placement.plan.seconds', slowest, [60, 's']);
    limit('placement.plan.rss', Math.max(...runs.map(({ rssMiB }) => rssMiB)), [6 * 1024, 'MiB']);
    notes.push(
      `${size.files} files of titles of ten, ${size.appliances} appliances in clusters of five, on one core.`,
      ...runs.map(notesOf),
    );
  }
  if (wants('placement.diff.seconds')) {
    const seconds = measureDiff({ files: size.heldFiles, rounds: size.rounds });
    limit('placement.diff.seconds', seconds, [1, 's']);
    notes.push(`The diff is that of a box that holds ${size.heldFiles} files.`);
  }
  const hits = measureHits({ quick, wants });
  return { figures: [...figures, ...hits.figures], notes: [...notes, ...hits.notes], details: hits };
});

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function notesOf({ mode, ...run }: PlanRun & { mode: PlanMode }): string {
  const what = mode === 'whole' ? 'Whole ladders' : 'Single renditions';
  return (
    `${what}: first night, boxes empty: ${run.firstSeconds.toFixed(1)} s, ${run.placedFiles} files placed. Second, a tenth of the ` +
    `titles anew: ${run.nightSeconds.toFixed(1)} s, ${run.placedAgain} files placed, ${percent(run.addedShare)} of the bytes added, ` +
    `${run.rssMiB.toFixed(0)} MiB.`
  );
}

function plan({ files, appliances }: { files: number; appliances: number }, mode: PlanMode): PlanRun {
  const node = [process.execPath, planProgram, String(files), String(appliances), mode];
  return JSON.parse(execFileSync('taskset', ['-c', '0', ...node], { encoding: 'utf8' })) as PlanRun;
}

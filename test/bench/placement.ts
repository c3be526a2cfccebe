// `./dev bench placement`: how long a plan of the whole fleet takes and how much memory, and how long a box takes to see what
// changes in a night, on one core, in a process of its own. And what planned fill hits and writes beside reactive caches.
import { execFileSync } from 'node:child_process';

import { lessIsBetter, runBench, type BenchReport, type Figure } from '../support/bench.ts';
import { measureDiff } from './placement/diff.ts';
import type { PlanMode } from './placement/fleet.ts';
import { measureHits } from './placement/hits.ts';
import type { PlanRun, PlanTime } from './placement/plan.ts';

const planProgram = new URL('placement/plan.ts', import.meta.url).pathname;
/** Of the appliances, for whole ladders. */
const wholePart = 10;
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
    const single = plan(size, 'single');
    // They take half as long and as much memory, and a cluster as long as any other: a part of them says it.
    const wholeSize = { ...size, appliances: size.appliances / wholePart };
    const whole = plan(wholeSize, 'whole');
    limit('placement.plan.seconds', Math.max(single.first.seconds, single.night.seconds), [60, 's']);
    limit('placement.plan.rss', single.rssMiB, [6 * 1024, 'MiB']);
    notes.push(
      `${size.files} files of titles of ten, in clusters of five appliances, on one core; the figure is of the slower of both nights.`,
      notesOf(`Single renditions, ${size.appliances} appliances`, single),
      notesOf(`Whole ladders, ${wholeSize.appliances} appliances`, whole),
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

function notesOf(what: string, run: PlanRun): string {
  return (
    `${what}: first night, boxes empty: ${timeOf(run.first)}, ${run.placedFiles} files placed. Second, a tenth of the ` +
    `titles anew: ${timeOf(run.night)}, ${run.placedAgain} files placed, ${percent(run.addedShare)} of the bytes added, ` +
    `${run.rssMiB.toFixed(0)} MiB.`
  );
}

function timeOf({ seconds, cpuSeconds }: PlanTime): string {
  return `${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of the processor)`;
}

function plan({ files, appliances }: { files: number; appliances: number }, mode: PlanMode): PlanRun {
  const node = [process.execPath, planProgram, String(files), String(appliances), mode];
  return JSON.parse(execFileSync('taskset', ['-c', '0', ...node], { encoding: 'utf8' })) as PlanRun;
}

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release } from 'node:os';
import { parseArgs } from 'node:util';

import Table from 'cli-table3';

/** One measured figure beside its peer's. `ratio` > 1 always means that ours is better. */
export interface Figure {
  readonly name: string;
  readonly ours: number;
  /** What it was measured against. */
  readonly peer: string;
  readonly theirs: number;
  readonly ratio: number;
  readonly unit: string;
  /** The ratio that is wanted. */
  readonly goal: number;
  readonly holds: boolean;
}

/** What was measured: a number, or one of each round. */
type Taken = number | readonly number[];

interface Comparison {
  readonly name: string;
  readonly ours: Taken;
  readonly peer: string;
  readonly theirs: Taken;
  readonly unit: string;
  readonly goal: number;
}

/** A figure where less is better: seconds, bytes. */
export function lessIsBetter(of: Comparison): Figure {
  return compare(of, (ours, theirs) => theirs / ours);
}

/** A figure where more is better: bytes in a second. */
export function moreIsBetter(of: Comparison): Figure {
  return compare(of, (ours, theirs) => ours / theirs);
}

/**
 * Where both took turns the ratio is the median of the rounds' ratios: what makes a machine slow for some seconds does so for
 * both, and leaves the ratio of a round as it is, but neither median.
 */
function compare(of: Comparison, ratioOf: (ours: number, theirs: number) => number): Figure {
  const { ours, theirs } = of;
  const middle = (taken: Taken): number => (typeof taken === 'number' ? taken : median(taken));
  const ratio =
    typeof ours !== 'number' && typeof theirs !== 'number' && ours.length === theirs.length
      ? median(ours.map((own, round) => ratioOf(own, theirs[round] ?? NaN)))
      : ratioOf(middle(ours), middle(theirs));
  return { ...of, ours: middle(ours), theirs: middle(theirs), ratio, holds: ratio >= of.goal };
}

/** What a benchmark is asked for. */
export interface BenchOptions {
  readonly quick: boolean;
  readonly files: string[];
  /** Whether a figure of this name is wanted. */
  readonly wants: (name: string) => boolean;
}

/** Figures, and what a reader needs beside them. */
export interface BenchReport {
  readonly figures: Figure[];
  /** Sentences: how it was measured, and what was met. */
  readonly notes: readonly string[];
  /** What the figures came from. */
  readonly details: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** The middle of some numbers; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[(sorted.length >> 1) - 1] ?? NaN)) / 2;
}

/**
 * Runs one benchmark: `--quick` asks for fewer rounds, `--json FILE` for the figures as JSON beside the table.
 * `--record` puts them into docs/benchmarks.md. It fails only when it cannot measure; a goal that is not held is shown, not asserted, since machines are noisy.
 * `--only PATTERN` measures only figures whose name holds it; `*` stands for anything, and commas part several.
 */
export async function runBench(
  name: string,
  measure: (options: BenchOptions) => Promise<Figure[] | BenchReport>,
): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.record && values.only !== undefined)
    throw new Error('--record is for all figures, not for --only');
  const wants = nameMatcher(values.only);
  const before = await processorTime();
  const measured = await measure({ quick: values.quick, files: positionals, wants });
  const report = Array.isArray(measured) ? { figures: measured, notes: [], details: undefined } : measured;
  const { figures, details } = report;
  const notes = [...report.notes, ...takenByOthers(before, await processorTime())];
  if (details !== undefined) print(details.head, details.rows);
  const head = ['figure', 'ours', 'peer', 'theirs', 'unit', 'ratio', 'goal', 'holds'];
  print(
    head,
    figures.map(({ name: figure, ours, peer, theirs, unit, ratio, goal, holds }) => [
      ...[figure, short(ours), peer, short(theirs), unit, ratio.toFixed(2), goal.toFixed(2)],
      holds ? 'yes' : 'NO',
    ]),
  );
  for (const note of notes) process.stdout.write(`${note}\n`);
  if (values.json !== undefined) {
    const json = { bench: name, figures, ...(details === undefined ? {} : { notes, details }) };
    await writeFile(values.json, `${JSON.stringify(json, undefined, 2)}\n`);
  }
  if (values.record) await record(name, { figures, notes, details });
}

/** What the processors did since the machine's start, in the kernel's ticks (proc(5), /proc/stat). */
interface ProcessorTime {
  readonly busy: number;
  /** Wanted by this machine while the host's processor served another one. */
  readonly stolen: number;
}

async function processorTime(): Promise<ProcessorTime> {
  const text = await readFile('/proc/stat', 'utf8');
  const ticks = text.slice(0, text.indexOf('\n')).trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = ticks;
  return { busy: user + nice + system + irq + softirq, stolen };
}

/** A sentence where other machines on the same host disturbed the measurement: more than 1 % of what was wanted. */
export function takenByOthers(before: ProcessorTime, after: ProcessorTime): string[] {
  const stolen = after.stolen - before.stolen;
  const share = stolen / Math.max(1, stolen + after.busy - before.busy);
  if (share <= 0.01) return [];
  return [
    `Other machines on this host took ${(share * 100).toFixed(0)} % of the processor time that was wanted (steal): absolute figures are too low.`,
  ];
}

function nameMatcher(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
  const expression = new RegExp(escaped.replaceAll('*', '.*').replaceAll(',', '|'));
  return (name) => expression.test(name);
}

const short = (value: number): string => value.toPrecision(3);

function print(head: readonly string[], rows: BenchReport['details']['rows']): void {
  const table = new Table({ style: { head: [], border: [] }, head: [...head] });
  for (const row of rows) table.push([...row]);
  process.stdout.write(`${table.toString()}\n`);
}

const page = new URL('../../docs/benchmarks.md', import.meta.url).pathname;
const head = `# Benchmarks

Written by \`./dev bench NAME --record\`. Machines differ and are noisy: compare ratios, and only within one run.
A ratio above 1 means that ours is better; where both took turns it is the median of the rounds' ratios. A peer called *limit* is a figure that was set, not a program.
`;

/** Replaces this benchmark's part of the page. */
async function record(
  name: string,
  { figures, notes, details }: Omit<BenchReport, 'details'> & { details: BenchReport['details'] | undefined },
): Promise<void> {
  const text = await readFile(page, 'utf8').catch(() => head);
  const others = text.split(/^(?=## )/m).filter((part) => !part.startsWith(`## ${name}\n`));
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim();
  const [cpu] = cpus();
  const machine = `${availableParallelism()} × ${cpu?.model ?? 'unknown'}, Linux ${release()}, Node ${process.version}`;
  const rows = figures.map(
    ({ name: figure, ours, peer, theirs, unit, ratio, goal, holds }) =>
      `| ${figure} | ${ours.toPrecision(3)} ${unit} | ${theirs.toPrecision(3)} ${unit} (${peer}) | ${ratio.toFixed(2)} | ${goal.toFixed(2)} | ${holds ? 'yes' : 'no'} |`,
  );
  const part = [
    `## ${name}`,
    '',
    `${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${machine}`,
    '',
    '| figure | ours | theirs | ratio | goal | holds |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    ...notes.map((note) => `- ${note}`),
    ...(notes.length > 0 ? [''] : []),
    ...(details === undefined ? [] : markdownTable(details)),
  ].join('\n');
  await writeFile(page, [...others.map((other) => other.trimEnd() + '\n\n'), part].join(''));
}

function markdownTable({ head: titles, rows }: BenchReport['details']): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line), ''];
}

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Where the sources of the addon, its tests and its fuzz targets are. */
export const nativePath = new URL('../../appliance/engine/native', import.meta.url).pathname;

const targets = [
  // A head is soon read; a whole connection takes ten times as long.
  { name: 'request', share: 0.8, lengthMax: 9000 },
  { name: 'connection', share: 0.2, lengthMax: 4096 },
] as const;
const keptOutput = 6000;

/** How much to fuzz: both targets together make `runs`, unless `seconds` are over before. */
export interface FuzzLength {
  readonly runs?: number | undefined;
  readonly seconds?: number | undefined;
  /** Find again what is found: the same seed gives the same inputs, from the same corpus. */
  readonly seed?: number | undefined;
  /** Start from the kept corpus alone, not from what earlier runs have added in build/. */
  readonly fresh?: boolean | undefined;
}

/** What became of one target. */
export interface Fuzzed {
  readonly target: string;
  readonly runs: number;
  readonly perSecond: number;
  /** Edges of the code that were reached. */
  readonly coverage: number;
  /** What libFuzzer said of the input that broke something, where it was written; nothing when all is well. */
  readonly finding: string | undefined;
}

/** Builds targets of native/Makefile. */
export async function makeNative(...names: readonly string[]): Promise<void> {
  const nodeDir = dirname(dirname(process.execPath));
  await promisify(execFile)('make', ['-s', '-j2', '-C', nativePath, `NODE_DIR=${nodeDir}`, ...names]);
}

/** Builds the fuzz targets and runs them side by side; new inputs that reach new code are kept in build/corpus. */
export async function fuzzEngine(length: FuzzLength): Promise<Fuzzed[]> {
  await makeNative(...targets.map(({ name }) => `fuzz-${name}`));
  return Promise.all(targets.map((target) => fuzz(target, length)));
}

async function fuzz(
  { name, share, lengthMax }: (typeof targets)[number],
  { runs, seconds, seed, fresh = false }: FuzzLength,
): Promise<Fuzzed> {
  // With one folder alone libFuzzer would add to it, and what is kept is written by hand.
  const added = fresh ? mkdtempSync(join(tmpdir(), 'fuzz-')) : join(nativePath, 'build/corpus', name);
  const findings = join(nativePath, 'build/findings/');
  mkdirSync(added, { recursive: true });
  mkdirSync(findings, { recursive: true });
  const kept = join(nativePath, 'corpus', name);
  const args = [
    `-dict=${kept}.dict`,
    `-max_len=${lengthMax}`,
    `-artifact_prefix=${findings}${name}-`,
    '-print_final_stats=1',
    '-timeout=20',
    ...(runs === undefined ? [] : [`-runs=${Math.ceil(runs * share)}`]),
    ...(seconds === undefined ? [] : [`-max_total_time=${seconds}`]),
    ...(seed === undefined ? [] : [`-seed=${seed}`]),
    added,
    kept,
  ];
  try {
    return { target: name, ...(await run(join(nativePath, 'build', `fuzz-${name}`), args)) };
  } finally {
    if (fresh) rmSync(added, { recursive: true });
  }
}

async function run(program: string, args: readonly string[]): Promise<Omit<Fuzzed, 'target'>> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  let coverage = 0;
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    said = (said + text).slice(-keptOutput);
    for (const [, edges] of text.matchAll(/ cov: (\d+)/g)) coverage = Number(edges);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const number = (name: string): number => Number(new RegExp(`stat::${name}: +(\\d+)`).exec(said)?.[1] ?? 0);
  return {
    runs: number('number_of_executed_units'),
    perSecond: number('average_exec_per_sec'),
    coverage,
    finding: code === 0 ? undefined : said,
  };
}

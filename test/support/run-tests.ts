/**
 * Runs the tests in the given files and folders, or all, several processes at a time, and reports for people and for CI: a line per
 * file, each failed assertion in full where it failed, each skip with its reason, and the counts alone on the last line.
 * `--costs` lists before that which files took most CPU.
 *
 * tap is the tests' library; its own runner loads more than most tests do into every process, also into those that tests start.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { makeDataFolder } from './data-folder.ts';
import { TapReport, type TestProcess } from './tap-report.ts';
import { isApart } from './apart-variable.ts';
import { hasProcesses, parseRun, planProcesses, runsOf, widthOf, type FileCost } from './test-schedule.ts';

// One more than the cores that CI has: most tests wait for a part of their time.
const jobs = 3;
// A file may set itself a longer time, up to this.
const processTimeoutMs = 700_000;
const rawPath = '.tap/output.tap';
const costsPath = '.tap/costs.json';
const costsShown = 30;
// Of /proc on Linux, on every machine (sysconf(3): _SC_CLK_TCK).
const ticksPerS = 100;
let endedTicks = 0;
const processProgram = join(import.meta.dirname, 'test-files.ts');

/** Those under way; what ends the run ends them. */
const running = new Set<ChildProcess>();
const stopping = new AbortController();
const ran: { readonly files: readonly string[]; readonly cost: FileCost }[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopping.abort();
    for (const child of running) child.kill(signal);
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { costs: { type: 'boolean' } },
});
mkdirSync('.tap', { recursive: true });
writeFileSync(rawPath, '');
const costs = remembered();
const files = listRuns(positionals.length > 0 ? positionals : ['test']);
const dataFolder = makeDataFolder();
const report = await runAll(planProcesses(files, costs), jobs);
writeFileSync(costsPath, JSON.stringify(costs));
const passedAgain = await passingAgain(report.failedFiles);
rmSync(dataFolder, { recursive: true, force: true });
if (values.costs === true) printCosts();
process.exitCode = report.end(passedAgain) && !stopping.signal.aborted ? 0 : 1;

/** A folder stands for the tests in it, a file for all of its runs. */
function listRuns(paths: readonly string[]): string[] {
  const found = paths.flatMap((path) => {
    if (parseRun(path).isApart) return [path];
    const files = statSync(path).isDirectory() ? globSync(join(path, '**/*.test.ts')) : [path];
    return isApart() ? files : files.flatMap(runsOf);
  });
  if (found.length === 0) throw new Error(`no tests in ${paths.join(', ')}`);
  return [...new Set(found)].toSorted();
}

function remembered(): Record<string, FileCost> {
  try {
    return JSON.parse(readFileSync(costsPath, 'utf8')) as Record<string, FileCost>;
  } catch {
    return {};
  }
}

async function runAll(processes: readonly (readonly string[])[], jobs: number): Promise<TapReport> {
  const report = new TapReport(
    (line) => {
      console.log(line);
    },
    (file) => !hasProcesses(file),
  );
  const waiting = [...processes];
  const underWay = new Set<Promise<void>>();
  let free = jobs;
  while (waiting.length > 0 && !stopping.signal.aborted) {
    const at = waiting.findIndex((files) => widthOf(files) <= free || free === jobs);
    const [files] = at < 0 ? [] : waiting.splice(at, 1);
    if (files === undefined) {
      await Promise.race(underWay);
      continue;
    }
    free -= widthOf(files);
    const run = runProcess(files).then((ended) => {
      report.add(ended);
      free += widthOf(files);
      underWay.delete(run);
    });
    underWay.add(run);
  }
  await Promise.all(underWay);
  return report;
}

/** The files among `failed` that pass when run again, alone. Once, three files at most: more than that is no bad luck. */
async function passingAgain(failed: readonly string[]): Promise<readonly string[]> {
  if (stopping.signal.aborted || failed.length === 0 || failed.length > 3 || !failed.every(hasProcesses))
    return [];
  console.log(`runs again, alone: ${failed.join(', ')}`);
  const again = await runAll(
    failed.map((file) => [file]),
    1,
  );
  return failed.filter((file) => !again.failedFiles.includes(file));
}

/** Runs files in a process of their own, to its end. */
async function runProcess(files: readonly string[]): Promise<TestProcess> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [processProgram, ...files], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...testEnvironment(), TAP_TIMEOUT: '400', TMPDIR: dataFolder },
  });
  running.add(child);
  const output = createInterface({ input: child.stdout });
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    // What it has started may hold the pipe open.
    output.close();
  }, processTimeoutMs);
  const ended = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => ({
    end: signal ?? code ?? 0,
    wallS: (performance.now() - startedMs) / 1000,
    cpuS: cpuOfEndedS(),
  }));
  const lines: string[] = [];
  for await (const line of output) lines.push(line);
  const { end, wallS, cpuS } = await ended;
  clearTimeout(timer);
  running.delete(child);
  appendFileSync(rawPath, `${lines.join('\n')}\n`);
  ran.push({ files, cost: { wallS, cpuS } });
  for (const file of files) costs[file] = { wallS: wallS / files.length, cpuS: cpuS / files.length };
  return { files, lines, end, wallS };
}

/** Tests read what programs print, also where somebody likes colours everywhere. */
function testEnvironment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _forced, ...environment } = process.env;
  return environment;
}

/** The CPU of the process that has just ended, and of all below it that were waited for (proc_pid_stat(5): cutime, cstime). */
function cpuOfEndedS(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = Number(fields[13]) + Number(fields[14]);
  const ofEnded = ticks - endedTicks;
  endedTicks = ticks;
  return ofEnded / ticksPerS;
}

/** What processes of tests cost, the most expensive ones each. */
function printCosts(): void {
  const row = ({ wallS, cpuS }: FileCost, what: string): string =>
    `${cpuS.toFixed(1).padStart(8)} s of CPU ${wallS.toFixed(1).padStart(7)} s  ${what}`;
  for (const { files, cost } of ran.toSorted((a, b) => b.cost.cpuS - a.cost.cpuS).slice(0, costsShown)) {
    const others = files.length > 1 ? ` and ${files.length - 1} more` : '';
    console.log(row(cost, `${files[0] ?? ''}${others}`));
  }
  const cpuS = ran.reduce((sum, { cost }) => sum + cost.cpuS, 0);
  console.log(row({ cpuS, wallS: performance.now() / 1000 }, 'in all'));
}

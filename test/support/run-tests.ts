/**
 * Runs tap over the given files and folders, or over all tests, and reports for people and for CI: a line per file, each failed
 * assertion in full where it failed, each skip with its reason, and the counts alone on the last line.
 *
 * tap's own reporters redraw the screen, which fills a log with control characters.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TapReport } from './tap-report.ts';

const tap = 'node_modules/tap/dist/esm/run.mjs';

/** A folder stands for the tests in it. */
const args = process.argv
  .slice(2)
  .map((arg) => (statSync(arg, { throwIfNoEntry: false })?.isDirectory() ? join(arg, '**/*.test.ts') : arg));

mkdirSync('.tap', { recursive: true });
const { report, code } = await runTap('.tap/output.tap', args, (name) => !hasProcesses(name));
const passed = report.end(await passingAgain(report.failedFiles));
process.exitCode = passed && (code === 0 || report.failedFiles.length > 0) ? 0 : 1;

/** Whether processes may take part in the test: beside other tests on two cores they meet load that no box is built for. */
function hasProcesses(name: string): boolean {
  return !name.includes('/core/');
}

/** The files among `failed` that pass when run again, alone. Once, three files at most: more than that is no bad luck. */
async function passingAgain(failed: readonly string[]): Promise<readonly string[]> {
  if (failed.length === 0 || failed.length > 3 || !failed.every(hasProcesses)) return [];
  console.log(`runs again, alone: ${failed.join(', ')}`);
  const again = await runTap('.tap/again.tap', ['--jobs=1', ...failed]);
  return again.code === 0 && again.report.failedFiles.length === 0 ? failed : [];
}

/** One run of tap: its report, its exit code, and what it printed in the file `rawPath`. */
async function runTap(
  rawPath: string,
  tapArgs: readonly string[],
  isFinal?: (file: string) => boolean,
): Promise<{ report: TapReport; code: number | null }> {
  const raw = createWriteStream(rawPath);
  const report = new TapReport((line) => {
    console.log(line);
  }, isFinal);
  const child = spawn(process.execPath, [tap, '--reporter=tap', ...tapArgs], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  const stop = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  for await (const line of createInterface({ input: child.stdout })) {
    raw.write(`${line}\n`);
    report.add(line);
  }
  const [code] = await exited;
  process.off('SIGINT', stop).off('SIGTERM', stop);
  raw.end();
  return { report, code };
}

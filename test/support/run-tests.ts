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
const raw = createWriteStream('.tap/output.tap');
const report = new TapReport((line) => {
  console.log(line);
});
const child = spawn(process.execPath, [tap, '--reporter=tap', ...args], {
  stdio: ['inherit', 'pipe', 'inherit'],
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

const exited = once(child, 'exit') as Promise<[number | null]>;
for await (const line of createInterface({ input: child.stdout })) {
  raw.write(`${line}\n`);
  report.add(line);
}
const [code] = await exited;
raw.end();
const complete = report.end();
process.exitCode = complete ? (code ?? 1) : 1;

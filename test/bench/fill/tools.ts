import { execFile, execFileSync } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Run } from './boxes.ts';

const run = promisify(execFile);

/** What the tools call themselves. */
export function toolVersions(): string {
  const first = (command: string): string =>
    execFileSync(command, ['--version'], { encoding: 'utf8' }).split('\n')[0]?.split(' (')[0] ?? command;
  return `${first('curl')}, ${first('aria2c')}`;
}

/** Downloads by curl, from one source. It verifies nothing. */
export function byCurl(directory: string, url: string): Promise<Run> {
  const target = join(directory, 'by-curl');
  return timed(target, ['curl', '--silent', '--fail', '--output', target, url]);
}

/** Downloads by aria2c, a connection to each of the sources, and has it verify the whole file by its SHA-256. */
export async function byAria2(directory: string, urls: readonly string[], sha256: string): Promise<Run> {
  const target = join(directory, 'by-aria2');
  const download = await timed(target, [
    ...['aria2c', '--quiet', '--no-conf', '--allow-overwrite=true', '--auto-file-renaming=false'],
    ...[`--split=${urls.length}`, '--max-connection-per-server=1', '--min-split-size=1M'],
    ...['--file-allocation=none', `--checksum=sha-256=${sha256}`],
    ...[`--dir=${directory}`, '--out=by-aria2', ...urls],
  ]);
  return { ...download, sources: urls.length };
}

/** Runs a download and makes its file durable, as a fill does before it counts; then removes it. */
async function timed(target: string, command: readonly string[]): Promise<Run> {
  // `times` tells what the shell's children have used: the last two figures.
  const script = '"$@" && sync --data "$0" && times';
  const startedMs = performance.now();
  const { stdout } = await run('/bin/sh', ['-c', script, target, ...command]);
  const seconds = (performance.now() - startedMs) / 1000;
  const { size: bytes } = await stat(target);
  await rm(target);
  const used = [...stdout.matchAll(/(\d+)m([\d.]+)s/g)].slice(2, 4);
  const cpuSeconds = used.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
  return { bytes, seconds, cpuSeconds, sources: 1 };
}

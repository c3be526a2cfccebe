import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { ControlDouble } from './control-double.ts';

/** An appliance as a process of its own. */
export interface BoxProcess {
  readonly pid: number;
  readonly url: string;
  readonly readyMs: number;
  /** Its log, a record a line. */
  readonly lines: string[];
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** The command line of a box called `box`, with a data directory in `directory`, that enrols at a control plane. */
export async function boxArgv(
  { control, directory }: { control: ControlDouble; directory: string },
  ...more: readonly string[]
): Promise<string[]> {
  const codeFile = join(directory, 'code');
  await writeFile(codeFile, `${control.code('box')}\n`);
  return [
    ...[
      '--data-dir',
      join(directory, 'box'),
      '--control-url',
      control.url,
      '--enrolment-code-file',
      codeFile,
    ],
    ...['--port', '0', '--reserve-bytes', '0', ...more],
  ];
}

/** Asks a box, and nobody to whom it leads on. */
export function askBox(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, redirect: 'manual' });
}

const bin = new URL('../../../appliance/bin.ts', import.meta.url).pathname;

/**
 * Starts an appliance and waits for its ready record; rejects with what it said when it ends before.
 *
 * @param by a command that becomes the appliance, such as taskset or perf with its options.
 */
export function startBox(
  t: { teardown(done: () => Promise<unknown>): void },
  argv: readonly string[],
  by: readonly string[] = [],
): Promise<BoxProcess> {
  return startProgram(t, [...by, process.execPath, bin, ...argv]);
}

/** The same by a whole command line. */
export function startProgram(
  t: { teardown(done: () => Promise<unknown>): void },
  [command = process.execPath, ...args]: readonly string[],
): Promise<BoxProcess> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env },
  });
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (part: Buffer) => (errors += part.toString()));
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal ?? code ?? 0);
    });
  });
  const kill = (signal: NodeJS.Signals): Promise<number | NodeJS.Signals> => {
    child.kill(signal);
    return ended;
  };
  t.teardown(() => kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (!line.includes('"msg":"ready"')) return;
      const { url, readyMs } = JSON.parse(line) as { url: string; readyMs: number };
      resolve({ pid: child.pid ?? 0, url, readyMs, lines, ended, kill });
    });
    void ended.then((end) => {
      reject(new Error(`it ended with ${end}: ${errors}${lines.join('\n')}`));
    });
  });
}

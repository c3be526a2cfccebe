import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { coded } from '../../common/runtime/errors.ts';

/** A plane as a process of its own. */
export interface DemoProcess {
  readonly name: string;
  readonly pid: number;
  /** From its start to its own word that it is ready. */
  readonly readyMs: number;
  /** Resolves when the process is gone, with how it ended. */
  readonly ended: Promise<string>;
  /** SIGTERM, and SIGKILL when it takes longer than `deadlineMs`. */
  stop(deadlineMs?: number): Promise<void>;
  /** SIGKILL: no goodbye. */
  kill(): Promise<void>;
}

interface SpawnOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly signal: AbortSignal;
}

const readyTimeoutMs = 20_000;
const stopDeadlineMs = 10_000;
const lastLinesMax = 5;
const bin = new URL('../bin.ts', import.meta.url).pathname;

/** Starts a plane and waits until it says that it is ready. Errors: UNAVAILABLE with its last words. */
export async function startProcess(options: SpawnOptions): Promise<DemoProcess> {
  const { name, argv, env, logFile, signal } = options;
  const startedMs = performance.now();
  // A group of its own: the terminal's Ctrl-C reaches the demo alone, which then stops its parts in order.
  const child = spawn(process.execPath, [bin, ...argv], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('exit', (code, killedBy) => {
      resolve(killedBy ?? `exit code ${code ?? 0}`);
    });
  });
  const lastLines = await logUntilReady(child, {
    name,
    logFile,
    ended,
    signal,
  });
  if (lastLines !== undefined) {
    child.kill('SIGKILL');
    if (signal.aborted) throw coded('ABORTED');
    throw coded('UNAVAILABLE', `${name} did not start (${logFile}):\n${lastLines.join('\n')}`);
  }
  const kill = async (how: NodeJS.Signals, deadlineMs: number) => {
    child.kill(how);
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    await ended;
    clearTimeout(timer);
  };
  return {
    name,
    pid: child.pid ?? 0,
    readyMs: performance.now() - startedMs,
    ended,
    stop: (deadlineMs = stopDeadlineMs) => kill('SIGTERM', deadlineMs),
    kill: () => kill('SIGKILL', stopDeadlineMs),
  };
}

/** Copies the output to the log; returns undefined once the process is ready, else the last lines of what it said. */
async function logUntilReady(
  child: ChildProcess,
  options: {
    name: string;
    logFile: string;
    ended: Promise<string>;
    signal: AbortSignal;
  },
): Promise<string[] | undefined> {
  const log = createWriteStream(options.logFile, { flags: 'a', mode: 0o600 });
  const lastLines: string[] = [];
  const ready = Promise.withResolvers<'ready'>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${line}\n`);
      lastLines.push(line);
      if (lastLines.length > lastLinesMax) lastLines.shift();
      if (line.includes('"msg":"ready"')) ready.resolve('ready');
    });
  }
  const timeout = AbortSignal.any([options.signal, AbortSignal.timeout(readyTimeoutMs)]);
  const tooLate = new Promise<string>((resolve) => {
    timeout.addEventListener('abort', () => {
      resolve('it was not ready in time');
    });
  });
  const outcome = await Promise.race([ready.promise, options.ended, tooLate]);
  return outcome === 'ready' ? undefined : [...lastLines, outcome];
}

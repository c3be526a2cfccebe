import { spawn, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseKindAs } from '../../common/runtime/parse.ts';
import { withFileThreads } from '../../common/runtime/file-threads.ts';
import { FromWorker, type ToWorker } from './messages.ts';

/** The master's side of one worker. */
export interface WorkerProcess {
  readonly pid: number;
  /** Who hears it from now on; it says nothing before it is told something. */
  listen(listener: WorkerListener): void;
  /** Sends, and tells when the channel has taken it; at once where the worker is gone. */
  send(message: ToWorker): Promise<void>;
  kill(): void;
  /** How it ended; all that it said has been heard by then. */
  readonly ended: Promise<string>;
}

export interface WorkerListener {
  onMessage: (message: FromWorker) => void;
  /** Something that no worker of this version says. */
  onNonsense: (error: unknown) => void;
}

// Beside this file, in its form: TypeScript here, JavaScript in the package.
const entry = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));

// What a worker makes for one request is gone with it. V8 would let the young generation grow to 96 MiB all the same, a step
// at a time over hours; a quarter is as fast, and reached in minutes.
const heapFlags = ['--max-semi-space-size=8'];

/** Starts a worker on descriptors that it inherits as 4 and up: its listening socket, and the shared memory of the caps. */
export function startWorker(fds: readonly number[]): WorkerProcess {
  const child = spawn(process.execPath, [...heapFlags, entry], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...fds],
    env: withFileThreads(process.env),
  });
  // Met by `ended`; without a listener it would end this process.
  child.on('error', () => undefined);
  return {
    pid: child.pid ?? 0,
    listen({ onMessage, onNonsense }) {
      child.on('message', (value) => {
        try {
          onMessage(parseKindAs(FromWorker, value, { what: 'a message of a serving worker' }));
        } catch (error) {
          onNonsense(error);
        }
      });
    },
    ended: endOf(child),
    kill: () => void child.kill('SIGKILL'),
    send: (message) =>
      new Promise((resolve) => {
        if (!child.connected) {
          resolve();
          return;
        }
        child.send(message, () => {
          resolve();
        });
      }),
  };
}

async function endOf(child: ChildProcess): Promise<string> {
  const gone = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal ?? `exit code ${code ?? 0}`);
    });
    child.once('error', (error) => {
      resolve(error.message);
    });
  });
  // What it said last is in the channel still.
  const silent = new Promise<void>((resolve) => {
    if (!child.connected) resolve();
    child.once('disconnect', resolve);
  });
  const how = await gone;
  await silent;
  return how;
}

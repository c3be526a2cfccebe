import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Protocol = 'http' | 'https';

/** A server under test: its own processes on a port of its own. */
export interface Server {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Its process and all that came of it. */
  pids(): Promise<number[]>;
  /** The list of files as it names them: hot ones, and those that are read cold. */
  readonly targets: { readonly hot: string; readonly cold: string };
  /** What a reader of its figures must know. */
  remarks(): readonly string[];
  stop(): Promise<void>;
}

/** A process of ours that is a server. */
export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Where a server may run: one core, or all where this is undefined. */
export function pinnedTo(cpu: number | undefined): string[] {
  return cpu === undefined ? [] : ['taskset', '-c', `${cpu}`];
}

/** Starts a command; its complaints are kept, and told when it ends by itself. */
export function start(command: readonly string[]): Started {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let isStopped = false;
  child.stderr.on('data', (part: Buffer) => (said = (said + part.toString()).slice(-4000)));
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => (said += error.message));
    child.once('close', () => {
      if (!isStopped) process.stderr.write(`${command.join(' ')} ended:\n${said}\n`);
      resolve();
    });
  });
  return {
    child,
    pid: child.pid ?? 0,
    async stop() {
      isStopped = true;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Waits until somebody listens. */
export async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        resolve(true);
        socket.destroy();
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    if (isOpen) return;
    await sleep(20);
  }
  throw new Error(`nobody listens on port ${port}`);
}

/** A process and its descendants. */
export async function processTree(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const pids = children.trim().split(' ').filter(Boolean).map(Number);
  return [pid, ...(await Promise.all(pids.map(processTree))).flat()];
}

/** Resident memory of some processes in bytes; what they share counts for each. */
export async function residentBytes(pids: readonly number[]): Promise<number> {
  const each = pids.map(async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  });
  return (await Promise.all(each)).reduce((sum, bytes) => sum + bytes, 0);
}

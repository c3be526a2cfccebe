import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { BoundSocket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { endWithUs } from './end-with-us.ts';

/** A control plane as a process of its own, on a socket that outlives it as systemd's would. */
export interface HeldGateway {
  readonly url: string;
  /** The credential of its operator. */
  readonly operator: string;
  /** Of the process that runs now. */
  residentMb(): Promise<number>;
  /** Has it answer what it has in hand and end, and starts another in its place. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

const bin = join(import.meta.dirname, '..', '..', 'cli', 'bin.ts');

/** Starts one, and resolves when it answers. */
export async function startHeldGateway(dataDir: string, flags: readonly string[]): Promise<HeldGateway> {
  const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
  const args = ['control-plane', '--data-dir', dataDir, '--listen-fd', '3', '--log-format', 'json', ...flags];
  const start = async (): Promise<ChildProcess> => {
    const stdio = ['ignore', 'pipe', 'inherit', socket.fd()] as const;
    const child = endWithUs(spawn(process.execPath, [bin, ...args], { stdio: [...stdio] }));
    const { stdout } = child;
    assert(stdout !== null, 'it is piped');
    const lines = createInterface({ input: stdout });
    for await (const line of lines) if (line.includes('"msg":"ready"')) break;
    stdout.resume();
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}`);
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`the gateway ended with ${String(code)}`);
  };
  let running = await start();
  const { port } = socket.address();
  return {
    url: `http://127.0.0.1:${port}`,
    operator: (await readFile(join(dataDir, 'operator.token'), 'utf8')).trim(),
    async residentMb() {
      const status = await readFile(`/proc/${String(running.pid)}/status`, 'utf8');
      return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1000);
    },
    async reload() {
      await end(running);
      running = await start();
    },
    async stop() {
      await end(running);
      socket.close();
    },
  };
}

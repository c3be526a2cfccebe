import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { pinnedTo } from '../serve/server.ts';
import type { PlaneReady } from './plane.ts';

/** A control plane under test. */
export interface PlaneProcess {
  readonly ready: PlaneReady;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

// What the clients of a benchmark share would be far above a real viewer's.
const unlimited = ['address', 'browse', 'playback'].flatMap((kind) => [
  `--gateway-${kind}-per-second`,
  '1000000',
]);

/** Starts a control plane on a core, with so many titles and viewers. */
export async function startPlaneProcess(
  cpu: number,
  { titles, viewers, flags = [] }: { titles: number; viewers: number; flags?: readonly string[] },
): Promise<PlaneProcess> {
  const program = new URL('plane.ts', import.meta.url).pathname;
  const args = [program, `${titles}`, `${viewers}`, ...unlimited, ...flags];
  const [command = process.execPath, ...rest] = [...pinnedTo(cpu), process.execPath, ...args];
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    void ended.then(() => {
      reject(new Error('the control plane did not start'));
    });
  });
  const ready = JSON.parse(line) as PlaneReady;
  return {
    ready,
    port: Number(new URL(ready.url).port),
    pid: child.pid ?? 0,
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

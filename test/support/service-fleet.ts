import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { serviceNames, type ServiceName } from '../../control-plane/apart/interface.ts';
import { freePort } from './free-port.ts';
import { endWithUs } from './end-with-us.ts';

/** A control plane whose services are each a process of its own, which can be killed and started again. */
export interface ServiceFleet {
  /** Of the core, which is the gateway. */
  readonly url: string;
  readonly dataDir: string;
  /** The credential of its operator. */
  readonly operator: string;
  kill(name: ServiceName): Promise<void>;
  /** Resolves when it says that it is ready. */
  start(name: ServiceName): Promise<void>;
  /** What each process has in memory. */
  residentMb(): Promise<ReadonlyMap<ServiceName, number>>;
  stop(): Promise<void>;
}

const bin = join(import.meta.dirname, '..', '..', 'cli', 'bin.ts');

/** Starts one in an empty directory; `flags` are for all of its processes. */
export async function startServiceFleet(dataDir: string, flags: readonly string[]): Promise<ServiceFleet> {
  const ports = new Map<ServiceName, number>();
  for (const name of serviceNames) ports.set(name, await freePort());
  const urlOf = (name: ServiceName): string => `http://127.0.0.1:${ports.get(name) ?? 0}`;
  const elsewhere = serviceNames.map((name) => `${name}=${urlOf(name)}`).join(',');
  const running = new Map<ServiceName, ChildProcess>();
  const fleet: Omit<ServiceFleet, 'operator'> = {
    ...{ url: urlOf('core'), dataDir },
    async kill(name) {
      const child = running.get(name);
      assert(child !== undefined, `${name} runs`);
      running.delete(name);
      await end(child, 'SIGKILL');
    },
    async start(name) {
      const home = name === 'core' ? dataDir : join(dataDir, `of-${name}`);
      await mkdir(home, { recursive: true, mode: 0o700 });
      const own = ['--services', name, '--port', String(ports.get(name)), '--data-dir', home, '--service-urls', elsewhere]; // prettier-ignore
      const others = ['--service-token-file', join(dataDir, 'service.token'), '--public-url', urlOf('core'), '--trusted-proxies', '127.0.0.1/32']; // prettier-ignore
      running.set(name, await startProcess([...flags, ...own, ...(name === 'core' ? [] : others)]));
    },
    async residentMb() {
      const sizes = [...running].map(async ([name, { pid }]) => [name, await residentMb(pid)] as const);
      return new Map(await Promise.all(sizes));
    },
    async stop() {
      await Promise.all([...running.values()].map((child) => end(child, 'SIGTERM')));
      running.clear();
    },
  };
  // The core makes what the others know one another by.
  await fleet.start('core');
  await Promise.all(serviceNames.filter((name) => name !== 'core').map((name) => fleet.start(name)));
  const operator = (await readFile(join(dataDir, 'operator.token'), 'utf8')).trim();
  return { ...fleet, operator };
}

/** Starts a process, and resolves when it is ready. Throws with what it said last where it ends before. */
async function startProcess(args: readonly string[]): Promise<ChildProcess> {
  const argv = [bin, 'control-plane', '--log-format', 'json', ...args];
  const child = endWithUs(spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (said.push(line) > 20) said.shift();
      if (line.includes('"msg":"ready"')) resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`${args.join(' ')} ended with ${String(code)}:\n${said.join('\n')}`));
    });
  });
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null)
    throw new Error(`a process had ended by itself, with ${String(child.exitCode ?? child.signalCode)}`);
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1000);
}

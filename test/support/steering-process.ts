import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { probeObject } from '../../common/core/probe-object.ts';

const bin = fileURLToPath(new URL('../../cli/bin.ts', import.meta.url));

export interface LogRecord {
  readonly msg?: string;
  readonly code?: string;
  readonly [key: string]: unknown;
}

export interface SteeringProcess {
  readonly url: string;
  readonly dnsPort: number;
  readonly readyMs: number;
  readonly pid: number;
  /** Every log record so far. */
  readonly records: readonly LogRecord[];
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a real steering process on free ports and waits until it is ready. */
export async function startSteering(options: {
  dataDir: string;
  controlUrl: string;
  code?: string;
  more?: readonly string[];
  env?: Readonly<Record<string, string>> | undefined;
  /** A command that runs it, with its own arguments (`taskset`). */
  under?: readonly string[];
}): Promise<SteeringProcess> {
  const argv = [
    '--data-dir',
    options.dataDir,
    '--control-url',
    options.controlUrl,
    '--port',
    '0',
    '--dns-port',
    '0',
  ];
  const code = options.code === undefined ? [] : ['--enrolment-code', options.code];
  const [program = process.execPath, ...args] = [...(options.under ?? []), process.execPath];
  const child: ChildProcess = spawn(
    program,
    [...args, bin, 'steering', ...argv, ...code, ...(options.more ?? [])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...options.env },
    },
  );
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const records: LogRecord[] = [];
  const ready = new Promise<LogRecord>((resolve, reject) => {
    if (child.stdout === null) throw new TypeError('no stdout');
    createInterface(child.stdout).on('line', (line) => {
      const record = JSON.parse(line) as LogRecord;
      records.push(record);
      if (record.msg === 'ready') resolve(record);
    });
    void exited.then(() => {
      reject(new Error(`steering ended before it was ready: ${JSON.stringify(records)}`));
    });
  });
  const record = await ready.catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    url: String(record['url']),
    dnsPort: Number(String(record['dns']).split(':').at(-1)),
    readyMs: Number(record['readyMs']),
    pid: child.pid ?? 0,
    records,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const [exitCode] = await exited;
      return exitCode;
    },
  };
}

export interface FakeBox {
  readonly url: string;
  /** Closes it and every connection, as a killed process does. */
  kill(): Promise<void>;
}

/** Something with an address that answers steering's probes as the box of this name, until it is killed. */
export async function startBox(name: string, port = 0): Promise<FakeBox & { port: number }> {
  const server = createServer((_request, response) => {
    response.end(probeObject(name, 'ready'));
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: picked } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${picked}`,
    port: picked,
    async kill() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Asks until it holds; the limit is generous, since it is no measurement. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

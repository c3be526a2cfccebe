import { execFile, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = new URL('.', import.meta.url).pathname;

/** The C programs of this benchmark, compiled. */
export interface Programs {
  readonly load: string;
  readonly limit: string;
  readonly cold: string;
}

/** Whether this machine has a compiler and the headers of OpenSSL. */
export function canCompile(): Promise<boolean> {
  return run('cc', ['-include', 'openssl/ssl.h', '-E', '-x', 'c', '/dev/null']).then(
    () => true,
    () => false,
  );
}

/** Compiles them into a directory; `flags` are for tests that want more than speed. */
export async function compilePrograms(
  directory: string,
  flags: readonly string[] = ['-O2'],
): Promise<Programs> {
  const programs = {
    load: join(directory, 'load'),
    limit: join(directory, 'limit'),
    cold: join(directory, 'cold'),
  };
  const sources = { load: globSync(`${here}load/*.c`), limit: [`${here}limit.c`], cold: [`${here}cold.c`] };
  const compile = (name: keyof Programs, ...libraries: string[]) =>
    run('cc', [
      ...['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', ...flags],
      ...[...sources[name], '-o', programs[name], ...libraries],
    ]);
  await Promise.all([compile('load', '-lssl', '-lcrypto'), compile('limit'), compile('cold', '-lpthread')]);
  return programs;
}

/** Latencies in microseconds. */
export interface Latencies {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** Why a request failed; `refused` are those that a busy server answers with 429. */
export type Failure =
  'connect' | 'tls' | 'write' | 'closed' | 'head' | 'status' | 'refused' | 'length' | 'bytes' | 'surplus';

/** What one run of the load generator saw. */
export interface Sample {
  readonly seconds: number;
  readonly requests: number;
  /** Of bodies. */
  readonly bytes: number;
  readonly serverCpuSeconds: number;
  readonly ownCpuSeconds: number;
  /** Until the last byte, and until the first. */
  readonly whole: Latencies;
  readonly first: Latencies;
  /** Age of the oldest request that was not answered in the end. */
  readonly oldestMs: number;
  readonly failures: Readonly<Record<Failure, number>>;
}

/** What a run of the load generator asks for. */
export interface LoadOptions {
  readonly port: number;
  readonly tls: boolean;
  /** A file of `path size file` lines. */
  readonly targets: string;
  readonly sizeBytes: number;
  readonly connections: number;
  readonly warmSeconds?: number;
  readonly seconds: number;
  readonly seed: number;
  /** The processes whose CPU time is measured. */
  readonly pids?: readonly number[];
  readonly cpu?: number | undefined;
  readonly verify?: boolean;
  /** Every range once, so that what is cold stays so until it is asked for. */
  readonly once?: boolean;
  /** The server may be so busy that it refuses. */
  readonly mayRefuse?: boolean;
}

function loadArguments(options: LoadOptions): string[] {
  const { cpu, pids = [] } = options;
  return [
    ...['--port', `${options.port}`, '--targets', options.targets, '--size', `${options.sizeBytes}`],
    ...['--connections', `${options.connections}`, '--seconds', `${options.seconds}`],
    ...['--warm', `${options.warmSeconds ?? 0}`, '--seed', `${options.seed}`, '--pids', pids.join(',')],
    ...(cpu === undefined ? [] : ['--cpu', `${cpu}`]),
    ...(options.tls ? ['--tls'] : []),
    ...(options.verify === true ? ['--verify'] : []),
    ...(options.once === true ? ['--once'] : []),
  ];
}

/** Loads a server for the given time. Rejects when it cannot, or when more than one answer in a hundred is wrong. */
export async function runLoad(programs: Programs, options: LoadOptions): Promise<Sample> {
  const { stdout } = await run(programs.load, loadArguments(options));
  const sample = JSON.parse(stdout) as Sample;
  const { refused } = sample.failures;
  const excused = options.mayRefuse === true ? refused : 0;
  if (failureCount(sample) - excused > sample.requests / 100 || sample.bytes + excused === 0) {
    throw new Error(`the answers of port ${options.port} are wrong: ${stdout}`);
  }
  return sample;
}

/** How many answers were wrong or missing. */
export function failureCount({ failures }: Sample): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}

/** Connections that do nothing after one request each. */
export interface IdleConnections {
  readonly open: number;
  /** Closes them. @returns how many the server had kept until then. */
  close(): Promise<number>;
}

/** Opens idle connections and holds them. */
export async function openIdle(programs: Programs, options: LoadOptions): Promise<IdleConnections> {
  const child = spawn(programs.load, [...loadArguments(options), '--idle'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, number>> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the load generator ended before its connections were open');
    return JSON.parse(value) as Record<string, number>;
  };
  const { open = 0 } = await next();
  return {
    open,
    async close() {
      child.stdin.end();
      const { held = 0 } = await next();
      return held;
    },
  };
}

/** What became of connections whose request heads never end. */
export interface SlowOutcome {
  readonly opened: number;
  /** Most that were open at a time. */
  readonly mostOpen: number;
  /** Closed by the server without a word, or after an answer such as 408. */
  readonly cut: number;
  readonly answered: number;
  /** That could not be opened. */
  readonly failed: number;
}

/** Holds plain connections that send a byte of a head each second, for the given time; those that are closed are opened again. */
export async function holdSlow(programs: Programs, options: LoadOptions): Promise<SlowOutcome> {
  const { stdout } = await run(programs.load, [...loadArguments(options), '--slow']);
  return JSON.parse(stdout) as SlowOutcome;
}

/** Drops files from the page cache. */
export async function dropFromCache(programs: Programs, targets: string): Promise<void> {
  await run(programs.cold, ['--drop', targets]);
}

/** Reads every range once by so many threads, with nothing but pread. @returns bytes per second. */
export async function readCold(
  programs: Programs,
  options: { targets: string; sizeBytes: number; threads: number; seconds: number; seed: number },
): Promise<number> {
  const { targets, sizeBytes, threads, seconds, seed } = options;
  const { stdout } = await run(programs.cold, [targets, ...[sizeBytes, threads, seconds, seed].map(String)]);
  const read = JSON.parse(stdout) as { seconds: number; bytes: number };
  return read.bytes / read.seconds;
}

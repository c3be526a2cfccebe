// The load generator for HTTP over keep-alive connections: see http-load.c.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { pinnedTo } from '../serve/server.ts';

/** What one turn of the generator saw. */
export interface HttpTurn {
  readonly seconds: number;
  readonly answered: number;
  /** With 429. */
  readonly refused: number;
  /** Wrong answers. */
  readonly failed: number;
  /** Due while too many were due already. */
  readonly dropped: number;
  /** Of those that were answered, from the moment at which they were due. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface HttpLoad {
  readonly port: number;
  /** A file of whole requests, each ended by a zero byte. */
  readonly requests: string;
  readonly connections: number;
  /** Requests in a second; 0: each connection asks as soon as it is answered. */
  readonly rate: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  /** How the body of a right answer begins. */
  readonly bodyStart: string;
  readonly cpu: number;
}

const run = promisify(execFile);

/** Compiles the generator into a folder. @returns the program. */
export async function buildHttpLoad(folder: string): Promise<string> {
  const program = join(folder, 'http-load');
  const source = new URL('http-load.c', import.meta.url).pathname;
  await run('cc', ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', source, '-o', program, '-lm']); // prettier-ignore
  return program;
}

/** One turn; a server that closes a connection in the middle of an answer ends it with an error. */
export async function runHttpLoad(program: string, load: HttpLoad): Promise<HttpTurn> {
  const { port, requests, connections, rate, seconds, warmSeconds, bodyStart, cpu } = load;
  const args = [port, requests, connections, rate, seconds, warmSeconds, bodyStart].map(String);
  const [command = program, ...rest] = [...pinnedTo(cpu), program, ...args];
  return JSON.parse((await run(command, rest)).stdout) as HttpTurn;
}

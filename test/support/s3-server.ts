import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { goTool, stopChild } from './go-tool.ts';

const MODULE = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';
const START_TIMEOUT_MS = 10_000;

/** A real S3 server of its own, with one bucket. */
export interface S3Server {
  endpoint: string;
  bucket: string;
  /** Where the bucket's objects lie as files. */
  directory: string;
  stop: () => Promise<void>;
}

/**
 * Starts versitygw on loopback; a sentence that says why not where it cannot be had. It is built once with Go 1.25 or later
 * into ~/.cache/nearcast-test-tools and found there the next time.
 */
export async function startS3Server(): Promise<S3Server | string> {
  const program = await goTool('versitygw', MODULE);
  if (!program.startsWith('/')) return `no S3 server here: ${program}`;
  const base = await mkdtemp(join(tmpdir(), 'nearcast-s3-'));
  const directory = join(base, 'objects');
  for (const path of [join(directory, 'nearcast'), join(base, 'sidecar')])
    await mkdir(path, { recursive: true });
  const port = await freePort();
  const env = { PATH: process.env.PATH, ROOT_ACCESS_KEY: 'test-access', ROOT_SECRET_KEY: 'test-secret' };
  const args = [
    '--port',
    `127.0.0.1:${String(port)}`,
    '--quiet',
    'posix',
    '--sidecar',
    join(base, 'sidecar'),
    directory,
  ];
  const server = spawn(program, args, { env, stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    await stopChild(server);
    await rm(base, { recursive: true });
  };
  const endpoint = `http://127.0.0.1:${String(port)}`;
  if (await answers(endpoint, server))
    return { endpoint, bucket: 'nearcast', directory: join(directory, 'nearcast'), stop };
  await stop();
  return 'versitygw did not start';
}

/** The environment that the server's credentials are taken from. */
export const s3Credentials = { AWS_ACCESS_KEY_ID: 'test-access', AWS_SECRET_ACCESS_KEY: 'test-secret' };

/** Whether the server answers HTTP before it exits or its time is over. */
async function answers(endpoint: string, server: ChildProcess): Promise<boolean> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (server.exitCode === null && performance.now() < deadline) {
    const answered = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (answered) return true;
    await delay(20);
  }
  return false;
}

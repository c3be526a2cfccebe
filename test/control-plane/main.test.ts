import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { request } from 'undici';
import { readConfig } from '../../control-plane/config.ts';
import { temporaryDir } from './support/control-plane.ts';

const bin = join(import.meta.dirname, '..', '..', 'cli', 'bin.ts');

interface Run {
  child: ChildProcess;
  lines: string[];
  exit: Promise<number>;
  /** The record with this message. */
  record(msg: string): Promise<Record<string, unknown>>;
}

function runPlane(t: { teardown(end: () => unknown): void }, flags: readonly string[]): Run {
  const child = spawn(
    process.execPath,
    [bin, 'control-plane', '--port', '0', '--log-format', 'json', ...flags],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const exit = once(child, 'close').then(([code]) => Number(code));
  let ended = false;
  void exit.then(() => (ended = true));
  const find = (msg: string) => lines.find((line) => line.includes(`"msg":"${msg}"`));
  return {
    child,
    lines,
    exit,
    async record(msg) {
      while (find(msg) === undefined && !ended) await new Promise((resolve) => setTimeout(resolve, 10));
      return JSON.parse(find(msg) ?? '{}') as Record<string, unknown>;
    },
  };
}

t.test('starts, says where, serves, and stops on SIGTERM with exit code 0', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = runPlane(t, ['--data-dir', dataDir]);
  const { url } = await plane.record('ready');
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const token = (await readFile(join(dataDir, 'operator.token'), 'utf8')).trim();
  const reply = await request(`${String(url)}/v1/status`, { headers: { authorization: `Bearer ${token}` } });
  t.equal(reply.statusCode, 200);
  t.notOk(
    plane.lines.some((line) => line.includes(token)),
    'the token is in no log',
  );

  const second = runPlane(t, ['--data-dir', dataDir]);
  t.equal(await second.exit, 75, 'a second on the same data is told to go');
  t.match(second.lines.join('\n'), /STORE_LOCKED/);

  plane.child.kill('SIGTERM');
  t.equal(await plane.exit, 0);
});

t.test('rotating keys from the command line', async (t) => {
  const dataDir = await temporaryDir(t);
  const rotate = runPlane(t, ['--data-dir', dataDir, '--rotate-keys']);
  t.equal(await rotate.exit, 0);
  t.match(await rotate.record('keys rotated; the new ones sign in ten minutes'), { keyset: 2 });
});

t.test('refuses what would be unsafe or cannot be', async (t) => {
  const dataDir = await temporaryDir(t);
  const isPublic = runPlane(t, ['--data-dir', dataDir, '--host', '0.0.0.0']);
  t.equal(await isPublic.exit, 78);
  t.match(isPublic.lines.join('\n'), /CONFIG_INVALID.*--insecure-public/);
  for (const [flags, why] of [
    [['--revoke-keys', 'x'], /--revoke-keys does nothing without --rotate-keys/],
    [['--trusted-proxies', 'my-proxy'], /my-proxy is no address/],
    [['--webhooks-networks', '10.1.2.3/16'], /10.1.2.3\/16 is no network/],
    [['--public-url', 'example.com'], /--public-url/],
  ] as const) {
    t.throws(() => readConfig(['--data-dir', dataDir, ...flags], {}), {
      code: 'CONFIG_INVALID',
      message: why,
    });
  }
  const unknown = runPlane(t, ['--data-dir', dataDir, '--prot', '1']);
  t.equal(await unknown.exit, 78);
  t.match(unknown.lines.join('\n'), /--port/);
});

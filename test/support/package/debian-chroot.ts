import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { systemCode } from '../../../common/runtime/errors.ts';

/** A fresh minimal Debian 12 that a package can be installed into. */
export interface DebianChroot extends AsyncDisposable {
  readonly path: string;
  /** Runs a shell command as root inside, by itself without any network. Never throws for its exit code. */
  run(command: string, network?: 'none' | 'of-the-host'): Promise<RunResult>;
  /** Starts a command that goes on, with the host's network; signals sent to it reach the command itself. */
  start(command: readonly string[]): ChildProcess;
}

export interface RunResult {
  readonly code: number;
  /** Both outputs. */
  readonly text: string;
}

const execute = promisify(execFile);
const suite = 'bookworm';
const bootstrapTimeoutMs = 170_000;
const commandTimeoutMs = 60_000;
const insideEnv = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C';
// `$1` is the chroot, the rest the command. What is mounted is gone with the namespace. The environment is cleared inside:
// a test runner puts its own NODE_OPTIONS into every child's.
const enter = `root=$1; shift; mount -t proc proc "$root/proc" && exec chroot "$root" env -i ${insideEnv} "$@"`;

/**
 * Unpacks a Debian 12 as debootstrap makes it, from ~/.cache/nearcast-test-tools, where the first call puts it.
 *
 * @returns why this machine cannot, where it cannot.
 */
export async function openDebianChroot(): Promise<DebianChroot | string> {
  const missing = await whyNot();
  if (missing !== undefined) return missing;
  const base = await cachedBase();
  if ('failure' in base) return base.failure;
  const path = await mkdtemp(join(tmpdir(), 'nearcast-chroot-'));
  await execute('tar', ['-xf', base.archive, '-C', path, '--numeric-owner']);
  return {
    path,
    async run(command, network = 'none') {
      const spaces = network === 'none' ? ['--mount', '--net'] : ['--mount'];
      const args = [...spaces, 'sh', '-c', enter, 'enter', path, '/bin/sh', '-c', command];
      try {
        const { stdout, stderr } = await execute('unshare', args, {
          timeout: commandTimeoutMs,
        });
        return { code: 0, text: stdout + stderr };
      } catch (error) {
        const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
        if (typeof code !== 'number') throw error;
        return { code, text: `${stdout ?? ''}${stderr ?? ''}` };
      }
    },
    start(command) {
      const args = ['--mount', 'sh', '-c', enter, 'enter', path, ...command];
      return spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    },
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function whyNot(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'a chroot needs root';
  try {
    await execute('unshare', ['--mount', '--net', 'mount', '-t', 'proc', 'proc', '/proc']);
    await execute('debootstrap', ['--version']);
    return undefined;
  } catch (error) {
    const isMissing = systemCode(error) === 'ENOENT';
    return isMissing
      ? 'debootstrap is not installed: apt-get install debootstrap'
      : 'mounting is not permitted';
  }
}

async function cachedBase(): Promise<{ archive: string } | { failure: string }> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nearcast-test-tools');
  const archive = join(cache, `debian-12-${process.arch}.tar`);
  const isThere = await access(archive).then(
    () => true,
    () => false,
  );
  if (isThere) return { archive };
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'debian-12-'));
  const folder = join(work, 'root');
  try {
    const args = ['--variant=minbase', suite, folder, ...(await mirrors())];
    await execute('debootstrap', args, { timeout: bootstrapTimeoutMs, maxBuffer: 64 * 2 ** 20 });
    await rm(join(folder, 'var/cache/apt/archives'), { recursive: true });
    await rm(join(folder, 'var/lib/apt/lists'), { recursive: true });
    await execute('tar', ['-cf', join(work, 'made.tar'), '--numeric-owner', '-C', folder, '.']);
    await rename(join(work, 'made.tar'), archive);
    return { archive };
  } catch (error) {
    const said = (error as { stdout?: string }).stdout?.trim().split('\n').at(-1);
    return { failure: `debootstrap failed: ${said ?? String(error)}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The mirror that this machine's own packages of the suite come from; none where it has another suite. */
async function mirrors(): Promise<string[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  for (const path of ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const oneLine = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${suite}\\s`, 'm').exec(text);
    if (oneLine?.[1] !== undefined) return [oneLine[1]];
    for (const block of text.split(/\n\s*\n/)) {
      if (!new RegExp(`^Suites:.*\\b${suite}(?:\\s|$)`, 'm').test(block)) continue;
      const uri = /^URIs:\s*(\S+)/m.exec(block)?.[1];
      if (uri !== undefined) return [uri];
    }
  }
  return [];
}

import { createHash, randomUUID } from 'node:crypto';
import { readFile, readdir, readlink, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { systemCode } from '../../runtime/errors.ts';
import { isAbsent } from '../shared/store-error.ts';

/** Who made a temporary file: a process of one boot of one host (or container). */
export interface TempOwner {
  host: string;
  pid: number;
  /** When the process started, in the kernel's ticks: tells it from a later one with the same pid. */
  started: string;
}

// Of a process on another host nothing can be asked: what it has not touched for so long is left over.
const FOREIGN_AGE_MS = 24 * 3_600_000;

/** This process as an owner of temporary files. */
export async function thisOwner(): Promise<TempOwner> {
  return { host: await hostTag(), pid: process.pid, started: (await startedTicks(process.pid)) ?? '0' };
}

/** A new name for a temporary file; says whose it is, so that a later start can tell what is left over. */
export function tempName(owner: TempOwner): string {
  return `${owner.host}.${String(owner.pid)}.${owner.started}.${randomUUID()}`;
}

/**
 * Removes the temporary files that their writers have left: of dead processes of this host, and of other hosts (a shared
 * directory) when untouched for a day. Those of live processes stay.
 */
export async function cleanTemps(directory: string, owner: TempOwner): Promise<void> {
  const nowMs = await diskTimeMs(directory, owner);
  for (const name of await readdir(directory)) {
    if (await isLeftOver(join(directory, name), { owner, nowMs }))
      await unlink(join(directory, name)).catch(unlessAbsent);
  }
}

/** The time of the disk's own clock, which is what the files' ages are by; undefined when the disk is full. */
async function diskTimeMs(directory: string, owner: TempOwner): Promise<number | undefined> {
  const probe = join(directory, tempName(owner));
  try {
    await writeFile(probe, '', { flag: 'wx' });
    return (await stat(probe)).mtimeMs;
  } catch (error) {
    if (systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT') return undefined;
    throw error;
  } finally {
    await unlink(probe).catch(unlessAbsent);
  }
}

async function isLeftOver(
  path: string,
  at: { owner: TempOwner; nowMs: number | undefined },
): Promise<boolean> {
  const [host, pidText, started = ''] = basename(path).split('.');
  const pid = Number(pidText);
  if (host === at.owner.host && Number.isSafeInteger(pid) && pid > 0) return !(await isAlive(pid, started));
  const found = await stat(path).catch(unlessAbsent);
  return found !== undefined && at.nowMs !== undefined && at.nowMs - found.mtimeMs > FOREIGN_AGE_MS;
}

async function isAlive(pid: number, started: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is another user's and lives.
    if (systemCode(error) === 'ESRCH') return false;
  }
  // Not known where there is no /proc or it hides other users' processes: then the pid alone has to do.
  const ticks = await startedTicks(pid);
  return ticks === undefined || ticks === started;
}

function unlessAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
  return undefined;
}

// Pids mean something within one boot and one pid namespace only.
async function hostTag(): Promise<string> {
  const parts = [hostname()];
  try {
    parts.push(
      await readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      await readlink('/proc/self/ns/pid'),
    );
  } catch (error) {
    unlessAbsent(error);
  }
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
}

/** proc_pid_stat(5): field 22, counted after the command's name, which may hold anything but ends at the last `)`. */
async function startedTicks(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

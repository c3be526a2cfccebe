import { randomUUID } from 'node:crypto';
import { link, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type, type Static } from '../contract/type.ts';
import { makeDirectory } from './durable.ts';
import { coded, isCoded, systemCode, type CodedError } from './errors.ts';
import { parseJsonAs } from './parse.ts';
import { writePrivateFile } from './private-file.ts';

export interface DataDirOptions {
  path: string;
  /** Whose data it is: `control-plane`, `appliance`, … A directory of another kind is refused. */
  kind: string;
  /** Version of the layout that this program writes. */
  formatVersion: number;
  /** Brings an older layout up to `formatVersion`; without it an older one is refused. */
  migrate?: (fromVersion: number) => Promise<void>;
}

export interface DataDir {
  path: string;
  /** Gives up the lock. */
  close(): Promise<void>;
}

const formatFile = 'format.json';
const Format = Type.Object({ kind: Type.String(), version: Type.Integer({ minimum: 1 }) });
const Lock = Type.Object({ pid: Type.Integer({ minimum: 1 }), startTicks: Type.String() });
type Lock = Static<typeof Lock>;

/**
 * Opens a process's data directory: made with mode 0700 when missing, locked against a second process, its format checked.
 *
 * @throws STORE_LOCKED naming the process that holds it, STORE_NEWER, STORE_CORRUPT, STORE_UNAVAILABLE, STORE_DENIED, DISK_FULL,
 * CONFIG_INVALID when the data is of another kind.
 */
export async function openDataDir(options: DataDirOptions): Promise<DataDir> {
  const { path } = options;
  await makePrivate(path);
  // Before the lock is written: what may not be opened is not touched. And again under the lock, since another process may have upgraded it.
  await readFormat(options);
  const lockPath = join(path, 'lock');
  const mine: Lock = { pid: process.pid, startTicks: processStat(process.pid)?.startTicks ?? '' };
  try {
    await takeLock(path, lockPath, mine);
  } catch (error) {
    throw isCoded(error) ? error : unavailable(path, error);
  }
  try {
    await checkFormat(options);
  } catch (error) {
    await unlink(lockPath);
    throw error;
  }
  return {
    path,
    close: async () => {
      await unlink(lockPath).catch(() => undefined);
    },
  };
}

async function makePrivate(path: string): Promise<void> {
  try {
    await makeDirectory(path, 0o700);
    if (!(await stat(path)).isDirectory()) throw coded('STORE_UNAVAILABLE', `${path} is not a directory`);
  } catch (error) {
    throw isCoded(error) ? error : unavailable(path, error);
  }
}

function unavailable(path: string, cause: unknown): CodedError {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') return coded('DISK_FULL', { detail: path, cause });
  const denied = code === 'EACCES' || code === 'EPERM';
  const why = denied ? 'this user may not write there; check its owner' : (code ?? String(cause));
  return coded(denied ? 'STORE_DENIED' : 'STORE_UNAVAILABLE', { detail: `${path}: ${why}`, cause });
}

const TRIES_MAX = 100;
const TAKEOVER_PAUSE_MS = 10;

/** Makes the lock file in one step, contents and all; a lock whose process is gone is removed first. */
async function takeLock(directory: string, lockPath: string, mine: Lock): Promise<void> {
  const temporary = join(directory, `lock.${randomUUID()}`);
  await writeFile(temporary, JSON.stringify(mine), { mode: 0o600 });
  try {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (await linked(temporary, lockPath)) return;
      const text = await readIfThere(lockPath);
      if (text === undefined) continue;
      const holder = holderOf(text);
      if (holder !== undefined && isAlive(holder)) {
        throw coded(
          'STORE_LOCKED',
          `${directory} is in use by process ${holder.pid}; stop it or use another directory`,
        );
      }
      await removeStale(lockPath, text, temporary);
    }
    throw coded('STORE_LOCKED', `${directory} is being taken by other processes`);
  } finally {
    await unlink(temporary);
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function holderOf(text: string): Lock | undefined {
  try {
    return parseJsonAs(Lock, text, { what: 'the lock' });
  } catch {
    // Cut short by a power loss: nobody holds it.
    return undefined;
  }
}

/**
 * Removes a stale lock. Only the holder of a guard may, and only what it has read again under the guard: a lock that another
 * process has just made in the stale one's place must never be taken away.
 */
async function removeStale(lockPath: string, stale: string, temporary: string): Promise<void> {
  const guard = `${lockPath}.takeover`;
  if (!(await linked(temporary, guard))) {
    const text = await readIfThere(guard);
    const holder = text === undefined ? undefined : holderOf(text);
    if (text !== undefined && (holder === undefined || !isAlive(holder)))
      await unlink(guard).catch(ignoreAbsent);
    await sleep(TAKEOVER_PAUSE_MS);
    return;
  }
  try {
    if ((await readIfThere(lockPath)) === stale) await unlink(lockPath);
  } finally {
    await unlink(guard).catch(ignoreAbsent);
  }
}

function ignoreAbsent(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error;
}

function isAlive({ pid, startTicks }: Lock): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  // Process ids are used again: the same id with another start is another process.
  const stat = processStat(pid);
  if (stat === undefined) return true;
  // One that was killed and that its parent has not looked at yet holds nothing any more.
  return stat.startTicks === startTicks && stat.state !== 'Z';
}

/** A process's state and when it started, in clock ticks since boot (proc(5) stat); undefined where there is no /proc. */
function processStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the name in parentheses, may hold spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** The version of what is there; undefined where nothing is. */
async function readFormat({
  path,
  kind,
  formatVersion,
  migrate,
}: DataDirOptions): Promise<number | undefined> {
  try {
    const formatPath = join(path, formatFile);
    const text = await readIfThere(formatPath);
    if (text === undefined) return undefined;
    const { kind: heldKind, version } = parseJsonAs(Format, text, {
      what: formatPath,
      code: 'STORE_CORRUPT',
    });
    if (heldKind !== kind) {
      throw coded(
        'CONFIG_INVALID',
        `${path} holds the data of ${heldKind}, not of ${kind}; use another directory`,
      );
    }
    if (version > formatVersion || (version < formatVersion && migrate === undefined))
      throw otherFormat(path, version, formatVersion);
    return version;
  } catch (error) {
    throw isCoded(error) ? error : unavailable(path, error);
  }
}

async function checkFormat(options: DataDirOptions): Promise<void> {
  const { path, kind, formatVersion, migrate } = options;
  const version = await readFormat(options);
  if (version === formatVersion) return;
  try {
    if (version !== undefined) await migrate?.(version);
    await writePrivateFile(join(path, formatFile), JSON.stringify({ kind, version: formatVersion }));
  } catch (error) {
    throw isCoded(error) ? error : unavailable(path, error);
  }
}

function otherFormat(path: string, held: number, known: number): CodedError {
  if (held < known)
    return coded(
      'STORE_CORRUPT',
      `${path} has format ${held}, which this program cannot bring up to ${known}`,
    );
  return coded('STORE_NEWER', `${path} has format ${held}, this program knows up to ${known}; upgrade it`);
}

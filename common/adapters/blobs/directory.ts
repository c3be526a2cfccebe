import { closeSync, constants, createReadStream, fstat, open as openCallback, type Stats } from 'node:fs';
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { CodedError, coded, systemCode } from '../../runtime/errors.ts';
import { makeDirectory, syncDirectory } from '../../runtime/durable.ts';
import { abandon, interruptible } from '../shared/interruptible.ts';
import { isAbsent, storeError } from '../shared/store-error.ts';
import { listDirectory } from './directory-list.ts';
import { checkBlobKey, checkBlobPrefix, clipRange, listLimit } from './key.ts';
import type {
  Blobs,
  BlobEntry,
  BlobListOptions,
  BlobReadOptions,
  BlobStat,
  BlobWriteOptions,
  BlobWritten,
} from './port.ts';
import { cleanTemps, tempName, thisOwner, type TempOwner } from './temps.ts';

const openPath = promisify(openCallback);
const statOpened = promisify(fstat);

// Beside the blobs, so that a rename stays within one file system; no key begins with a dot.
const TEMPS = '.temps';
const READ_BLOCK_BYTES = 256 * 1024;

/**
 * Opens a directory of blobs, made when absent. Several processes may use one directory: what a dead one has left half
 * written is cleaned up here. A directory that may only be read can be opened too; writes then fail with STORE_DENIED.
 */
export async function openDirectoryBlobs(root: string): Promise<Blobs> {
  const owner = await thisOwner();
  const temps = join(root, TEMPS);
  try {
    await makeDirectory(temps);
    await cleanTemps(temps, owner);
  } catch (error) {
    const readOnly = storeError(error, `opening ${root}`);
    if (readOnly.code !== 'STORE_DENIED' || (await statFile(root)) === undefined) throw readOnly;
    // Nothing can be cleaned up where nothing can be written.
  }
  return new DirectoryBlobs(root, owner);
}

class DirectoryBlobs implements Blobs {
  readonly #root: string;
  readonly #owner: TempOwner;

  constructor(root: string, owner: TempOwner) {
    this.#root = root;
    this.#owner = owner;
  }

  async stat(key: string): Promise<BlobStat | undefined> {
    const found = await statFile(this.#path(key));
    if (found?.isFile() !== true) return undefined;
    return { sizeBytes: found.size, modifiedMs: Math.trunc(found.mtimeMs) };
  }

  async read(key: string, options: BlobReadOptions = {}): Promise<Readable | undefined> {
    const opened = await openFile(this.#path(key));
    if (opened === undefined) return undefined;
    const { fd, sizeBytes } = opened;
    try {
      const { offset, end } = clipRange(sizeBytes, options);
      if (offset < end) {
        // `end` of a read stream is the last byte, not the one after it. The stream closes the file.
        const range = { start: offset, end: end - 1, highWaterMark: READ_BLOCK_BYTES };
        return createReadStream('', { ...range, fd, ...(options.signal && { signal: options.signal }) });
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
    return Readable.from([]);
  }

  async write(
    key: string,
    source: AsyncIterable<Uint8Array>,
    options: BlobWriteOptions = {},
  ): Promise<BlobWritten> {
    const path = this.#path(key);
    if (options.ifAbsent === true && (await statFile(path)) !== undefined) {
      abandon(source);
      return { kind: 'exists' };
    }
    const temp = join(this.#root, TEMPS, tempName(this.#owner));
    try {
      const sizeBytes = await fillTemp(temp, source, options);
      const placed = await place(temp, path, options);
      return placed ? { kind: 'written', sizeBytes } : { kind: 'exists' };
    } catch (error) {
      // The first failure is the one to tell; a temporary file that stays is cleaned up at the next start.
      await unlink(temp).catch(() => undefined);
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    try {
      await unlink(path);
      await syncDirectory(dirname(path));
    } catch (error) {
      if (!isAbsent(error)) throw storeError(error, `removing ${path}`);
    }
  }

  async list(prefix: string, options: BlobListOptions = {}): Promise<readonly BlobEntry[]> {
    const range = { prefix: checkBlobPrefix(prefix), after: options.after ?? '', limit: listLimit(options) };
    try {
      return await listDirectory(this.#root, range);
    } catch (error) {
      throw storeError(error, `listing ${this.#root}`);
    }
  }

  async localPath(key: string): Promise<string | undefined> {
    const path = this.#path(key);
    return (await statFile(path))?.isFile() === true ? path : undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #path(key: string): string {
    return join(this.#root, checkBlobKey(key));
  }
}

async function statFile(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw storeError(error, `looking at ${path}`);
  }
}

// By number: a stream that is left unread then leaks its file, where a FileHandle would end the process.
async function openFile(path: string): Promise<{ fd: number; sizeBytes: number } | undefined> {
  let fd: number | undefined;
  try {
    // Non-blocking: somebody's named pipe must not hang the open.
    fd = await openPath(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await statOpened(fd);
    if (found.isFile()) return { fd, sizeBytes: found.size };
    closeSync(fd);
    return undefined;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (isAbsent(error)) return undefined;
    throw storeError(error, `reading ${path}`);
  }
}

/** Writes the source to a new file and gets it onto the disk; its size in bytes. */
async function fillTemp(
  temp: string,
  source: AsyncIterable<Uint8Array>,
  options: BlobWriteOptions,
): Promise<number> {
  let handle: FileHandle;
  try {
    handle = await open(temp, 'wx', options.isPrivate === true ? 0o600 : 0o640);
  } catch (error) {
    abandon(source);
    throw storeError(error, `writing ${temp}`);
  }
  try {
    let sizeBytes = 0;
    for await (const chunk of interruptible(source, options.signal)) {
      sizeBytes += chunk.length;
      checkSize(sizeBytes, options.sizeBytes, 'so far');
      await writeAll(handle, chunk).catch((error: unknown) => {
        throw storeError(error, `writing ${temp}`);
      });
    }
    checkSize(sizeBytes, options.sizeBytes, 'all');
    await handle.sync().catch((error: unknown) => {
      throw storeError(error, `writing ${temp}`);
    });
    return sizeBytes;
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) written += (await handle.write(chunk, written)).bytesWritten;
}

function checkSize(sizeBytes: number, announced: number | undefined, part: 'so far' | 'all'): void {
  if (announced === undefined || (part === 'so far' ? sizeBytes <= announced : sizeBytes === announced))
    return;
  throw coded('SIZE_MISMATCH', `${String(announced)} bytes were announced, ${String(sizeBytes)} came`);
}

/** Makes the finished file visible under its name; false when one is there already and is to stay. */
async function place(temp: string, path: string, options: BlobWriteOptions): Promise<boolean> {
  const directory = dirname(path);
  try {
    await makeDirectory(directory);
    if (options.ifAbsent === true) {
      // Unlike a rename, a link never replaces what another writer has put there meanwhile.
      await link(temp, path);
      await unlink(temp);
    } else {
      await rename(temp, path);
    }
    await syncDirectory(directory);
    return true;
  } catch (error) {
    if (options.ifAbsent === true && systemCode(error) === 'EEXIST' && (await statFile(path)) !== undefined) {
      await unlink(temp);
      return false;
    }
    throw placeError(error, path);
  }
}

// A key whose folder is a blob, or that is itself the folder of blobs.
const clashes: ReadonlySet<string | undefined> = new Set(['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY']);

function placeError(error: unknown, path: string): CodedError {
  if (!clashes.has(systemCode(error))) return storeError(error, `writing ${path}`);
  return coded('KEY_INVALID', { detail: `${path} is a folder or lies in a blob`, cause: error });
}

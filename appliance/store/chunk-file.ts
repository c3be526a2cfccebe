import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { systemCode } from '../../common/runtime/errors.ts';

/** What keeps bytes that were written out of memory where writes cannot go around it. */
export interface WriteBehind {
  /** What is durable of a file need not stay in memory. It returns at once. */
  drop(fd: number): void;
}

/** Direct writes demand it of positions and lengths; memory that is not aligned so is found by trying. */
const blockBytes = 4096;
/** So much may be in memory before it is written and dropped. */
const behindBytes = 16 * 2 ** 20;

/**
 * The content of a download: read as any file, written without pushing what viewers read out of the page cache. Chunks in
 * memory that begins on a page go around the cache (O_DIRECT); the last one of a file, other memory, and file systems that
 * do not have it, go through it and are dropped behind.
 */
export class ChunkFile {
  readonly handle: FileHandle;
  readonly #direct: FileHandle | undefined;
  readonly #behind: WriteBehind;
  #cachedBytes = 0;

  private constructor(handles: { handle: FileHandle; direct: FileHandle | undefined }, behind: WriteBehind) {
    this.handle = handles.handle;
    this.#direct = handles.direct;
    this.#behind = behind;
  }

  /** Opens one that is to be made anew (`w+`), or goes on (`r+`). */
  static async open(path: string, flags: 'w+' | 'r+', behind: WriteBehind): Promise<ChunkFile> {
    const handle = await open(path, flags, 0o640);
    // EINVAL where the file system has no such thing; what else may be wrong the writes will say.
    const direct = await open(path, constants.O_WRONLY | constants.O_DIRECT).catch(() => undefined);
    return new ChunkFile({ handle, direct }, behind);
  }

  /** Writes all of the bytes at a position. */
  async write(bytes: Uint8Array, positionBytes: number): Promise<void> {
    if (await this.#writeDirectly(bytes, positionBytes)) return;
    await writeAll(this.handle, bytes, positionBytes);
    this.#cachedBytes += bytes.length;
    if (this.#cachedBytes < behindBytes) return;
    this.#cachedBytes = 0;
    await this.handle.datasync();
    this.#behind.drop(this.handle.fd);
  }

  /** Makes what was written durable. */
  async sync(): Promise<void> {
    await this.handle.sync();
    if (this.#cachedBytes > 0) this.#behind.drop(this.handle.fd);
    this.#cachedBytes = 0;
  }

  async close(): Promise<void> {
    await Promise.all([this.handle.close(), this.#direct?.close()]);
  }

  async #writeDirectly(bytes: Uint8Array, positionBytes: number): Promise<boolean> {
    if (this.#direct === undefined || bytes.length % blockBytes !== 0 || bytes.byteOffset % blockBytes !== 0)
      return false;
    try {
      await writeAll(this.#direct, bytes, positionBytes);
      return true;
    } catch (error) {
      // Memory that is not aligned, or the rest of a short write: the other way says what is wrong.
      if (systemCode(error) === 'EINVAL') return false;
      throw error;
    }
  }
}

// A write may be short where the disk fills up; the next one then says so.
async function writeAll(handle: FileHandle, bytes: Uint8Array, positionBytes: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, positionBytes + done);
    done += bytesWritten;
  }
}

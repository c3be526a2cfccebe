import { constants } from 'node:fs';
import { open, readdir, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory } from '../../../common/runtime/durable.ts';
import { isAbsent, storeError } from '../../../common/adapters/shared/store-error.ts';

/** Files of uploads that are under way, one each, named by the upload's id. */
export class UploadFiles {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Opens the directory, made when absent. */
  static async open(directory: string): Promise<UploadFiles> {
    try {
      await makeDirectory(directory);
    } catch (error) {
      throw storeError(error, `opening ${directory}`);
    }
    return new UploadFiles(directory);
  }

  /** The path of an upload's file. Ids are made here and hold no separator. */
  path(uploadId: string): string {
    return join(this.#directory, uploadId);
  }

  /** How many bytes an ordinary user may still write. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await this.#coded(statfs(this.#directory));
    return bavail * bsize;
  }

  /** Makes the empty file of a new upload. */
  async create(uploadId: string): Promise<void> {
    const handle = await this.#coded(open(this.path(uploadId), 'wx', 0o600));
    await handle.close();
    await this.#coded(syncDirectory(this.#directory));
  }

  /**
   * Opens an upload's file to go on at `offsetBytes`: what lies behind was never acknowledged and is cut off. A file that is
   * shorter than it should be is left as it is; the answer says from where it can go on.
   */
  async openAt(uploadId: string, offsetBytes: number): Promise<{ handle: FileHandle; offsetBytes: number }> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const handle = await this.#coded(open(this.path(uploadId), flags, 0o600));
    try {
      const { size } = await handle.stat();
      if (size > offsetBytes) await handle.truncate(offsetBytes);
      return { handle, offsetBytes: Math.min(size, offsetBytes) };
    } catch (error) {
      await handle.close();
      throw storeError(error, `opening ${this.path(uploadId)}`);
    }
  }

  /** The size of an upload's file; 0 when it is not there. */
  async sizeBytes(uploadId: string): Promise<number> {
    try {
      const handle = await open(this.path(uploadId), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        return (await handle.stat()).size;
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isAbsent(error)) return 0;
      throw storeError(error, `looking at ${this.path(uploadId)}`);
    }
  }

  /** Removes an upload's file if it is there. */
  async remove(uploadId: string): Promise<void> {
    try {
      await unlink(this.path(uploadId));
    } catch (error) {
      if (!isAbsent(error)) throw storeError(error, `removing ${this.path(uploadId)}`);
    }
  }

  /** Removes every file that belongs to none of these uploads. */
  async removeOthers(uploadIds: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#coded(readdir(this.#directory))) {
      if (!uploadIds.has(name)) await this.remove(name);
    }
  }

  async #coded<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw storeError(error, `uploads in ${this.#directory}`);
    }
  }
}

/** Writes all of the bytes at a position; a short write is continued. */
export async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const step = await handle.write(bytes, written, bytes.length - written, position + written);
    written += step.bytesWritten;
  }
}

import { readFile, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import { assert, coded, isCoded, type CodedError } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { WriteBehind } from './chunk-file.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import { ChunkChecker, removeHeld, sendBack, type ReadBy } from './chunk-check.ts';
import { DiskIndex } from './disk-index.ts';
import { diskLayout, type DiskLayout } from './disk-layout.ts';
import {
  listFolder,
  makeFolders,
  removeLeftovers,
  scanFiles,
  scanPartials,
  seemsWhole,
  walkFolders,
  wholeSizeBytes,
} from './disk-scan.ts';
import type {
  DiskContents,
  DiskWriter,
  FoundDifference,
  ResumedDownload,
  WriteSpeed,
} from './disk-writer.ts';
import { isAbsent, storeFailure } from './failure.ts';
import { FileTurns } from './file-turns.ts';
import { pageAligned } from './page-aligned.ts';
import { createPartial, removePartial, resumePartial, type PartialOnDisk } from './partial-file.ts';

export interface LocalWriterOptions {
  /** The root of the disk, which exists. */
  path: string;
  behind: WriteBehind;
  clock: Clock;
  log: Log;
}

/** While disk and index are compared, viewers come first. */
const pausePerWork = 4;
const bufferedBytes = 16 * chunkSizeBytes;

/** Does what is done on a disk in this very process. Its index is read and written at once: others would wait for it. */
export class LocalWriter implements DiskWriter {
  readonly #options: LocalWriterOptions;
  readonly #layout: DiskLayout;
  readonly #index: DiskIndex;
  readonly #checker: ChunkChecker;
  readonly #turns = new FileTurns();
  readonly #downloads = new Map<string, PartialOnDisk>();
  readonly #listeners: ((found: FoundDifference) => void)[] = [];
  /** The index has just been made of the files. */
  readonly #isNew: boolean;
  #buffers: ChunkBuffers | undefined;
  #leftovers = 0;
  #isClosed = false;

  private constructor(
    options: LocalWriterOptions,
    parts: { layout: DiskLayout; index: DiskIndex; isNew: boolean },
  ) {
    const { layout, index, isNew } = parts;
    this.#options = options;
    this.#layout = layout;
    this.#index = index;
    this.#isNew = isNew;
    this.#checker = new ChunkChecker(layout);
  }

  /**
   * Opens a disk by its index, or by its files where there is none, and puts right what an interrupted change left.
   *
   * @throws STORE_LOCKED while another process has it, STORE_NEWER, DISK_FAILED, DISK_FULL, STORE_UNAVAILABLE.
   */
  static async open(options: LocalWriterOptions): Promise<{ writer: LocalWriter; contents: DiskContents }> {
    const { path, log } = options;
    const layout = diskLayout(path);
    await makeFolders(layout);
    let isNew = false;
    const index = await DiskIndex.open(join(path, 'index.sqlite'), async (why) => {
      isNew = true;
      if (why === 'damaged') log.error({ path }, 'the index of a disk is damaged; it is made anew');
      const { found, leftovers } = await scanFiles(layout);
      log.info({ path, files: found.size, leftovers }, 'the index of a disk was made of its files');
      return found;
    });
    const writer = new LocalWriter(options, { layout, index, isNew });
    try {
      return { writer, contents: await writer.#settleAll() };
    } catch (error) {
      await writer.close();
      throw storeFailure(error, `opening ${path}`);
    }
  }

  /** Only where chunks are fetched in this process too. */
  get buffers(): ChunkBuffers {
    return (this.#buffers ??= new ChunkBuffers(pageAligned(bufferedBytes)));
  }

  async freeBytes(): Promise<number> {
    const { path } = this.#options;
    return this.#coded(`asking for the room on ${path}`, async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    });
  }

  begin(file: string, descriptor: Buffer): Promise<void> {
    return this.#turns.run(file, async () => {
      assert(!this.#downloads.has(file), 'a download is begun twice');
      this.#downloads.set(file, await createPartial(this.#layout, { file, descriptor, ...this.#hooks() }));
    });
  }

  resume(file: string): Promise<ResumedDownload | undefined> {
    return this.#turns.run(file, async () => {
      assert(!this.#downloads.has(file), 'a download is resumed twice');
      const partial = await resumePartial(this.#layout, { file, ...this.#hooks() });
      if (partial === undefined) {
        await removePartial(this.#layout, file);
        return undefined;
      }
      this.#downloads.set(file, partial);
      const descriptor = await this.#coded(`resuming ${file}`, () =>
        readFile(this.#layout.partial(file).descriptor),
      );
      return { descriptor, bits: partial.chunks.bits, resumedBytes: partial.resumedBytes };
    });
  }

  put(file: string, index: number, chunk: Uint8Array): Promise<boolean> {
    const partial = this.#downloads.get(file);
    if (partial === undefined) return Promise.reject(coded('ABORTED', `the download of ${file} has ended`));
    return partial.put(index, chunk);
  }

  publish(file: string): Promise<WriteSpeed> {
    return this.#turns.run(file, async () => {
      const partial = this.#downloads.get(file);
      assert(partial?.chunks.size === partial?.chunks.count, 'only a whole download can be published');
      assert(partial !== undefined, 'only a download of this disk can be published');
      const { sizeBytes } = partial.tree;
      const from = this.#layout.partial(file);
      await partial.sync();
      await partial.close();
      this.#downloads.delete(file);
      this.#index.change(file, sizeBytes);
      await this.#coded(`publishing ${file}`, async () => {
        // The content last: where it is, its chunk list is too.
        await rename(from.descriptor, this.#layout.descriptor(file));
        await rename(from.content, this.#layout.content(file));
        await syncDirectory(this.#layout.folder(file));
        await rm(from.map, { force: true });
      });
      this.#index.hold(file, sizeBytes);
      const { writtenBytes, spentMs } = partial;
      return { writtenBytes, spentMs };
    });
  }

  discard(file: string): Promise<void> {
    return this.#turns.run(file, async () => {
      const partial = this.#downloads.get(file);
      this.#downloads.delete(file);
      await partial?.close();
      await removePartial(this.#layout, file);
    });
  }

  remove(file: string): Promise<void> {
    return this.#turns.run(file, () => this.#remove(file));
  }

  sendBack(file: string): Promise<void> {
    return this.#turns.run(file, async () => {
      const known = this.#index.get(file);
      if (known === undefined) return;
      try {
        this.#index.change(file, known.sizeBytes);
        await sendBack(this.#layout, file, known.sizeBytes);
        this.#index.drop(file);
      } catch (error) {
        this.#options.log.warn({ err: error, file }, 'nothing could be kept of a file that is bad');
        await this.#remove(file);
      }
    });
  }

  examine(file: string): Promise<boolean> {
    return this.#turns.run(file, () => this.#settle(file));
  }

  async check(file: string, index: number, by: ReadBy): Promise<'good' | 'bad' | 'gone'> {
    try {
      return (await this.#checker.isGood(file, index, by)) ? 'good' : 'bad';
    } catch (error) {
      if (!isAbsent(error)) throw storeFailure(error, `looking at ${file}`);
      return (await this.examine(file)) ? 'bad' : 'gone';
    }
  }

  onFound(listener: (found: FoundDifference) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Compares the whole disk with its index, a fifth of the time at most, and puts right where they differ: what somebody has
   * deleted or cut is dropped, what lies whole and is not known is taken in, what is nobody's is removed. An index that has
   * just been made of the files needs none of it.
   */
  async heal(): Promise<void> {
    const { clock, log, path } = this.#options;
    if (this.#isNew) return;
    this.#leftovers = 0;
    await walkFolders(async (folder) => {
      if (this.#isClosed) return;
      const startedMs = clock.monotonicMs();
      await this.#coded(`comparing ${path} with its index`, () => this.#healFolder(folder));
      await clock.sleep(pausePerWork * (clock.monotonicMs() - startedMs));
    }, 1);
    if (this.#leftovers > 0)
      log.warn({ path, leftovers: this.#leftovers }, 'leftovers of an interrupted write were removed');
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#downloads.values()].map((partial) => partial.close()));
    this.#downloads.clear();
    this.#index.close();
  }

  /** A file that is both a download and held was being sent back: the download counts. */
  async #settleAll(): Promise<DiskContents> {
    const { log, path } = this.#options;
    const { found: partial, leftovers } = await scanPartials(this.#layout);
    if (leftovers > 0) log.warn({ path, leftovers }, 'leftovers of interrupted downloads were removed');
    for (const file of partial) if (this.#index.get(file) !== undefined) await this.#remove(file);
    for (const file of this.#index.changing()) await this.#settle(file);
    return { held: this.#index.held(), partial };
  }

  async #healFolder(folder: string): Promise<void> {
    const { files, others } = await listFolder(this.#layout, folder);
    const known = this.#index.inFolder(folder);
    for (const [file, { sizeBytes }] of known) {
      files.delete(file);
      if (!(await seemsWhole(this.#layout, file, sizeBytes))) await this.examine(file);
    }
    for (const file of files) await this.examine(file);
    this.#leftovers += await removeLeftovers(others);
  }

  /** Makes the index say of a file what the disk says. @returns whether it is held. */
  async #settle(file: string): Promise<boolean> {
    if (this.#isClosed) return false;
    return this.#coded(`looking at ${file}`, async () => {
      const known = this.#index.get(file);
      const sizeBytes = await wholeSizeBytes(this.#layout, file);
      if (sizeBytes !== undefined) {
        if (known?.isChanging === false && known.sizeBytes === sizeBytes) return true;
        this.#index.hold(file, sizeBytes);
      } else {
        // Fails where the folder is gone too: then it is the disk that is not there.
        await removeHeld(this.#layout, file);
        this.#index.drop(file);
        if (known === undefined) this.#leftovers++;
      }
      for (const listener of this.#listeners) listener({ file, sizeBytes });
      return sizeBytes !== undefined;
    });
  }

  async #remove(file: string): Promise<void> {
    const known = this.#index.get(file);
    try {
      if (known !== undefined) this.#index.change(file, known.sizeBytes);
    } catch (error) {
      // On a full disk it is this that makes room.
      if (!isCoded(error, 'DISK_FULL')) throw error;
    }
    await this.#coded(`removing ${file}`, () => removeHeld(this.#layout, file));
    this.#index.drop(file);
  }

  #hooks() {
    const { clock, behind } = this.#options;
    return { clock, behind, failure };
  }

  async #coded<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw failure(error, what);
    }
  }
}

/** What is asked for is always below folders that were there at the start. */
function failure(error: unknown, what: string): CodedError {
  return isAbsent(error) ? coded('DISK_GONE', { detail: what, cause: error }) : storeFailure(error, what);
}

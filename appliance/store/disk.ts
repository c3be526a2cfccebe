import { rename, rm, statfs } from 'node:fs/promises';

import { chunkSizeBytes, descriptorLengthBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import { assert } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { WriteBehind } from './chunk-file.ts';
import type { ContentForm, OpenContent } from './content.ts';
import { diskLayout, inBlocks, type DiskLayout } from './disk-layout.ts';
import { scanDisk } from './disk-scan.ts';
import { storeFailure } from './failure.ts';
import type { FileStore, HeldInfo, HoldingsChange, StoreUsage } from './file-store.ts';
import { HeldReader, type HeldFault } from './held-reader.ts';
import type { OpenFiles } from './open-files.ts';
import {
  createPartial,
  removePartial,
  resumePartial,
  type OwnPartialFile,
  type PartialFile,
} from './partial-file.ts';

/** What a disk is opened with. */
export interface DiskOptions {
  /** The root, which exists. Whoever opens it holds the lock of the data directory. */
  path: string;
  /** How much files may take; undefined for all that the disk has. */
  capacityBytes: number | undefined;
  /** What stays free for everything else on the disk. */
  reserveBytes: number;
  openFiles: OpenFiles;
  pool: BufferPool;
  behind: WriteBehind;
  clock: Clock;
  log: Log;
}

/** A file of which bytes left so lately counts as being read: who reads it may be another process. */
const sentRecentlyMs = 1000;

/** Opens one directory as a disk: scans it, cleans what an interrupted write left, and serves from it. */
export async function openDisk(options: DiskOptions): Promise<FileStore> {
  const layout = diskLayout(options.path);
  const { held, partial, leftovers } = await scanDisk(layout);
  if (leftovers > 0) options.log.warn({ leftovers }, 'leftovers of an interrupted write were removed');
  return new Disk(options, { layout, held, partial });
}

class Disk implements FileStore {
  readonly held: Map<string, HeldInfo>;
  readonly partial: Set<string>;
  readonly #options: DiskOptions;
  readonly #layout: DiskLayout;
  readonly #own = new Map<string, OwnPartialFile>();
  readonly #reader: HeldReader;
  readonly #servedAtMs = new Map<string, number>();
  /** When bytes of a file last left, in whatever process. */
  readonly #sentAtMs = new Map<string, number>();
  readonly #listeners: ((change: HoldingsChange) => void)[] = [];
  #usedBytes = 0;

  constructor(
    options: DiskOptions,
    contents: { layout: DiskLayout; held: Map<string, HeldInfo>; partial: Set<string> },
  ) {
    this.#options = options;
    this.#layout = contents.layout;
    this.held = contents.held;
    this.partial = contents.partial;
    const { openFiles, pool } = options;
    this.#reader = new HeldReader({
      layout: contents.layout,
      openFiles,
      pool,
      sizeBytesOf: (file) => this.held.get(file)?.sizeBytes,
      onFault: (file, fault) => {
        this.#withdrawFaulty(file, fault);
      },
    });
    for (const { sizeBytes } of contents.held.values()) this.#usedBytes += this.costBytes(sizeBytes);
  }

  async open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    const content = await this.#reader.open(file, form);
    if (content !== undefined) this.#servedAtMs.set(file, this.#options.clock.monotonicMs());
    return content;
  }

  foundCut(file: string): void {
    this.#reader.foundCut(file);
  }

  async inspect(file: string): Promise<boolean> {
    // Descriptors opened earlier would show it as it was then.
    this.#reader.forget(file);
    for (const form of ['content', 'descriptor'] as const) (await this.#reader.open(file, form))?.release();
    return this.held.has(file);
  }

  async usage(): Promise<StoreUsage> {
    const { path, capacityBytes, reserveBytes } = this.#options;
    const partialBytes = this.#partialBytes();
    try {
      const { bavail, bsize } = await statfs(path);
      const reachable = Math.max(0, this.#usedBytes + partialBytes + bavail * bsize - reserveBytes);
      return { capacityBytes: Math.min(capacityBytes ?? Infinity, reachable), usedBytes: this.#usedBytes };
    } catch (error) {
      throw storeFailure(error, `asking for the room on ${path}`);
    }
  }

  costBytes(sizeBytes: number): number {
    return inBlocks(sizeBytes) + inBlocks(descriptorLengthBytes(sizeBytes));
  }

  inUse(file: string): boolean {
    if (this.#reader.inUse(file)) return true;
    const sentAtMs = this.#sentAtMs.get(file);
    return sentAtMs !== undefined && this.#options.clock.monotonicMs() - sentAtMs < sentRecentlyMs;
  }

  lastServedMs(file: string): number {
    return this.#servedAtMs.get(file) ?? 0;
  }

  noteSent(file: string): void {
    if (!this.held.has(file)) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.#servedAtMs.set(file, nowMs);
    this.#sentAtMs.set(file, nowMs);
  }

  async begin(file: string, descriptor: Buffer): Promise<PartialFile> {
    assert(!this.#own.has(file), 'a download is begun twice');
    const own = await createPartial(this.#layout, { file, descriptor, behind: this.#options.behind });
    return this.#adopt(own);
  }

  async resume(file: string): Promise<PartialFile | undefined> {
    if (!this.partial.has(file)) return undefined;
    assert(!this.#own.has(file), 'a download is resumed twice');
    const own = await resumePartial(this.#layout, { file, behind: this.#options.behind });
    if (own !== undefined) return this.#adopt(own);
    await this.discard(file);
    return undefined;
  }

  async publish(partial: PartialFile): Promise<void> {
    const { file } = partial;
    const own = this.#own.get(file);
    assert(own === partial && own.isWhole(), 'only a whole download of this disk can be published');
    const from = this.#layout.partial(file);
    await own.sync();
    await own.close();
    try {
      // The content last: where it is, its chunk list is too.
      await rename(from.descriptor, this.#layout.descriptor(file));
      await rename(from.content, this.#layout.content(file));
      await syncDirectory(this.#layout.folder(file));
      await rm(from.map, { force: true });
    } catch (error) {
      throw storeFailure(error, `publishing ${file}`);
    }
    this.#own.delete(file);
    this.partial.delete(file);
    this.held.set(file, { sizeBytes: own.tree.sizeBytes });
    this.#usedBytes += this.costBytes(own.tree.sizeBytes);
    this.#tell({ kind: 'added', file });
  }

  async discard(file: string): Promise<void> {
    const own = this.#own.get(file);
    this.#own.delete(file);
    this.partial.delete(file);
    await own?.close();
    await removePartial(this.#layout, file);
  }

  async remove(file: string): Promise<void> {
    if (!this.#withdraw(file)) return;
    try {
      await rm(this.#layout.content(file), { force: true });
      await rm(this.#layout.descriptor(file), { force: true });
      await syncDirectory(this.#layout.folder(file));
    } catch (error) {
      throw storeFailure(error, `removing ${file}`);
    }
  }

  onChange(listener: (change: HoldingsChange) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#own.values()].map((own) => own.close()));
    this.#own.clear();
    this.#options.openFiles.forgetAll();
  }

  #adopt(own: OwnPartialFile): PartialFile {
    this.#own.set(own.file, own);
    this.partial.add(own.file);
    return own;
  }

  /** Takes a file out of the holdings and tells so; false when it was not in them. */
  #withdraw(file: string): boolean {
    const info = this.held.get(file);
    if (info === undefined) return false;
    this.held.delete(file);
    this.#servedAtMs.delete(file);
    this.#sentAtMs.delete(file);
    this.#usedBytes -= this.costBytes(info.sizeBytes);
    this.#reader.forget(file);
    this.#tell({ kind: 'removed', file });
    return true;
  }

  #withdrawFaulty(file: string, fault: HeldFault): void {
    if (this.#withdraw(file) && fault === 'cut')
      this.#options.log.error({ file, code: 'FILE_CORRUPT' }, 'a held file has another length than its own');
  }

  #tell(change: HoldingsChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  // What downloads take is room that their own files may use.
  #partialBytes(): number {
    let bytes = 0;
    for (const { chunks } of this.#own.values()) bytes += chunks.size * chunkSizeBytes;
    return bytes;
  }
}

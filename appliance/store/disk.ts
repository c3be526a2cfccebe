import { rename, rm } from 'node:fs/promises';

import { chunkSizeBytes, describedSizeBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import { assert, coded, isCoded, type CodedError } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { WriteBehind } from './chunk-file.ts';
import { ChunkChecker, removeHeld, sendBack, type ReadBy } from './chunk-check.ts';
import type { ContentForm, OpenContent } from './content.ts';
import { DiskLane } from './disk-lane.ts';
import { diskLayout, fileCostBytes, type DiskLayout } from './disk-layout.ts';
import { scanDisk } from './disk-scan.ts';
import { isAbsent, storeFailure } from './failure.ts';
import type { DiskStore, DiskUsage, HeldInfo, HoldingsChange, StoreUsage } from './file-store.ts';
import { FreeSpace } from './free-space.ts';
import { HeldReader, type HeldFault } from './held-reader.ts';
import type { OpenFiles } from './open-files.ts';
import {
  createPartial,
  removePartial,
  resumePartial,
  type OwnPartialFile,
  type PartialFile,
} from './partial-file.ts';

/** A disk did not do what was asked of it: it answered with an error, or it can only be read. */
export interface DiskTrouble {
  readonly op: 'read' | 'write';
  readonly error: CodedError;
}

/** What a disk is opened with. */
export interface DiskOptions {
  /** The root, which exists. Whoever opens it holds its lock. */
  path: string;
  /** No other disk of this process ever had it: reading threads are kept by it. */
  number: number;
  /** How much files may take; undefined for all that the disk has. */
  capacityBytes: number | undefined;
  /** What stays free for everything else on the disk. */
  reserveBytes: number;
  openFiles: OpenFiles;
  pool: BufferPool;
  behind: WriteBehind;
  /** Told besides whatever is thrown. */
  onTrouble: (trouble: DiskTrouble) => void;
  clock: Clock;
  log: Log;
}

/** A file of which bytes left so lately counts as being read: who reads it may be another process. */
const sentRecentlyMs = 1000;
/** Smaller files say nothing of a disk's speed. */
const ratedBytesMin = 8 * chunkSizeBytes;
/** How much one file tells of it: the rest is what was known before. */
const ratedShare = 0.2;

/** Opens one directory as a disk: scans it, cleans what an interrupted write left, and serves from it. */
export async function openDisk(options: DiskOptions): Promise<DiskStore> {
  const { path, number, log } = options;
  const layout = diskLayout(path);
  const { held, partial, leftovers } = await scanDisk(layout, number);
  if (leftovers > 0) log.warn({ path, leftovers }, 'leftovers of an interrupted write were removed');
  return new Disk(options, { layout, held, partial });
}

class Disk implements DiskStore {
  readonly number: number;
  readonly root: string;
  readonly roots: ReadonlyMap<number, string>;
  readonly held: Map<string, HeldInfo>;
  readonly partial: Set<string>;
  readonly #options: DiskOptions;
  readonly #lane: DiskLane;
  readonly #space: FreeSpace;
  readonly #layout: DiskLayout;
  readonly #own = new Map<string, OwnPartialFile>();
  /** What each download under way takes once it is whole. */
  readonly #promisedBytes = new Map<string, number>();
  readonly #reader: HeldReader;
  /** When bytes of a file last left, in whatever process. */
  readonly #sentAtMs = new Map<string, number>();
  readonly #listeners: ((change: HoldingsChange) => void)[] = [];
  readonly #checker: ChunkChecker;
  /** Files that were found bad, on their way back to the downloads. */
  readonly #sendingBack = new Map<string, Promise<void>>();
  #usedBytes = 0;
  #bytesPerSecond: number | undefined;

  constructor(
    options: DiskOptions,
    contents: { layout: DiskLayout; held: Map<string, HeldInfo>; partial: Set<string> },
  ) {
    const { number, path, openFiles, pool } = options;
    this.#options = options;
    this.#lane = new DiskLane(path);
    this.#space = new FreeSpace({ path, lane: this.#lane, clock: options.clock });
    this.number = number;
    this.root = path;
    this.roots = new Map([[number, path]]);
    this.#layout = contents.layout;
    this.#checker = new ChunkChecker(contents.layout);
    this.held = contents.held;
    this.partial = contents.partial;
    this.#reader = new HeldReader({
      layout: contents.layout,
      disk: number,
      lane: this.#lane,
      openFiles,
      pool,
      sizeBytesOf: (file) => this.held.get(file)?.sizeBytes,
      onFault: (file, fault) => {
        this.#withdrawFaulty(file, fault);
      },
    });
    for (const { sizeBytes } of contents.held.values()) this.#usedBytes += this.costBytes(sizeBytes);
  }

  open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    return this.#reader.open(file, form);
  }

  foundCut(file: string): void {
    this.#reader.foundCut(file);
  }

  foundUnreadable(file: string): void {
    this.#reader.foundUnreadable(file);
  }

  async inspect(file: string): Promise<boolean> {
    // Descriptors opened earlier would show it as it was then.
    this.#reader.forget(file);
    for (const form of ['content', 'descriptor'] as const) (await this.#reader.open(file, form))?.release();
    return this.held.has(file);
  }

  async usage(): Promise<StoreUsage> {
    const { path, capacityBytes, reserveBytes } = this.#options;
    const freeBytes = await this.#space.bytes().catch((error: unknown): never => {
      throw this.#failure(error, `asking for the room on ${path}`);
    });
    const reachable = Math.max(0, this.#usedBytes + this.#partialBytes() + freeBytes - reserveBytes);
    return { capacityBytes: Math.min(capacityBytes ?? Infinity, reachable), usedBytes: this.#usedBytes };
  }

  async rooms(): Promise<DiskUsage[]> {
    const promisedBytes = this.#promisedBytes.values().reduce((sum, bytes) => sum + bytes, 0);
    return [
      { disk: this.number, bytesPerSecond: this.#bytesPerSecond, promisedBytes, ...(await this.usage()) },
    ];
  }

  begunOn(file: string): number | undefined {
    return this.partial.has(file) ? this.number : undefined;
  }

  costBytes(sizeBytes: number): number {
    return fileCostBytes(sizeBytes);
  }

  inUse(file: string): boolean {
    if (this.#reader.inUse(file)) return true;
    const sentAtMs = this.#sentAtMs.get(file);
    return sentAtMs !== undefined && this.#options.clock.monotonicMs() - sentAtMs < sentRecentlyMs;
  }

  noteSent(file: string): void {
    if (!this.held.has(file)) return;
    this.#sentAtMs.set(file, this.#options.clock.monotonicMs());
  }

  begin(file: string, descriptor: Buffer): Promise<PartialFile> {
    return this.#lane.outlast(this.#begin(file, descriptor));
  }

  resume(file: string): Promise<PartialFile | undefined> {
    return this.#lane.outlast(this.#resume(file));
  }

  publish(partial: PartialFile): Promise<void> {
    return this.#lane.outlast(this.#publish(partial));
  }

  discard(file: string): Promise<void> {
    return this.#lane.outlast(this.#discard(file));
  }

  async remove(file: string): Promise<void> {
    if (this.#withdraw(file)) await this.#lane.outlast(this.#delete(file));
  }

  async #begin(file: string, descriptor: Buffer): Promise<PartialFile> {
    assert(!this.#own.has(file), 'a download is begun twice');
    const needBytes = this.costBytes(describedSizeBytes(descriptor) ?? 0);
    const { capacityBytes, usedBytes } = await this.usage();
    const freeBytes = this.#promisedBytes
      .values()
      .reduce((free, bytes) => free - bytes, capacityBytes - usedBytes);
    if (needBytes > freeBytes) throw coded('DISK_FULL', `${file} takes ${needBytes} bytes on ${this.root}`);
    this.#promisedBytes.set(file, needBytes);
    try {
      return this.#adopt(await createPartial(this.#layout, { file, descriptor, ...this.#hooks() }));
    } catch (error) {
      this.#promisedBytes.delete(file);
      throw error;
    }
  }

  async #resume(file: string): Promise<PartialFile | undefined> {
    if (!this.partial.has(file)) return undefined;
    assert(!this.#own.has(file), 'a download is resumed twice');
    await this.#sendingBack.get(file);
    const own = await resumePartial(this.#layout, { file, ...this.#hooks() });
    if (own !== undefined) {
      this.#promisedBytes.set(file, this.costBytes(own.tree.sizeBytes));
      return this.#adopt(own);
    }
    await this.#discard(file);
    return undefined;
  }

  async #publish(partial: PartialFile): Promise<void> {
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
      throw this.#failure(error, `publishing ${file}`);
    }
    this.#forgetPartial(file);
    this.#rate(own);
    this.held.set(file, { sizeBytes: own.tree.sizeBytes, disk: this.number });
    this.#usedBytes += this.costBytes(own.tree.sizeBytes);
    this.#tell({ kind: 'added', file });
  }

  async #discard(file: string): Promise<void> {
    const own = this.#own.get(file);
    this.#forgetPartial(file);
    await this.#sendingBack.get(file);
    await own?.close();
    await removePartial(this.#layout, file);
  }

  move(file: string, disk: number): void {
    assert(disk === this.number, `there is no other disk to move ${file} to`);
  }

  async check(file: string, index: number, by: ReadBy): Promise<'good' | 'bad' | 'gone'> {
    if (!this.held.has(file)) return 'gone';
    try {
      if (await this.#checker.isGood(file, index, by)) return 'good';
    } catch (error) {
      if (!isAbsent(error)) throw storeFailure(error, `looking at ${file}`);
      await this.inspect(file);
    }
    if (!this.held.has(file)) return 'gone';
    this.#reader.foundUnreadable(file);
    return 'bad';
  }

  onChange(listener: (change: HoldingsChange) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#lane.abandon();
    await Promise.all([...this.#own.values()].map((own) => own.close()));
    this.#own.clear();
    this.#options.openFiles.forgetUnder(this.root);
  }

  #hooks() {
    const { clock, behind } = this.#options;
    return {
      clock,
      behind,
      lane: this.#lane,
      failure: (error: unknown, what: string) => this.#failure(error, what),
    };
  }

  /** Gives what a write met its code, and tells of it where it is the disk that fails. */
  #failure(error: unknown, what: string): CodedError {
    // What is written is always below folders that were there at the start.
    const failure = isAbsent(error)
      ? coded('DISK_GONE', { detail: what, cause: error })
      : storeFailure(error, what);
    if (isCoded(failure, 'DISK_FAILED', 'DISK_READ_ONLY', 'DISK_GONE'))
      this.#options.onTrouble({ op: 'write', error: failure });
    return failure;
  }

  #forgetPartial(file: string): void {
    this.#own.delete(file);
    this.#promisedBytes.delete(file);
    this.partial.delete(file);
  }

  #rate({ writtenBytes, spentMs }: OwnPartialFile): void {
    if (writtenBytes < ratedBytesMin || spentMs <= 0) return;
    const rate = (writtenBytes * 1000) / spentMs;
    const before = this.#bytesPerSecond ?? rate;
    this.#bytesPerSecond = before + (rate - before) * ratedShare;
  }

  async #delete(file: string): Promise<void> {
    try {
      await removeHeld(this.#layout, file);
    } catch (error) {
      throw this.#failure(error, `removing ${file}`);
    }
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
    this.#sentAtMs.delete(file);
    this.#usedBytes -= this.costBytes(info.sizeBytes);
    this.#reader.forget(file);
    this.#tell({ kind: 'removed', file });
    return true;
  }

  #withdrawFaulty(file: string, fault: HeldFault): void {
    const { log, onTrouble } = this.#options;
    const sizeBytes = this.held.get(file)?.sizeBytes ?? 0;
    if (!this.#withdraw(file)) return;
    if (fault === 'cut')
      log.error({ file, code: 'FILE_CORRUPT' }, 'a held file has another length than its own');
    if (fault !== 'unreadable') return;
    const error = coded('DISK_FAILED', `${this.root} does not give the bytes of ${file}`);
    log.error({ file, err: error }, 'a held file cannot be read as it was written');
    onTrouble({ op: 'read', error });
    this.partial.add(file);
    this.#sendingBack.set(file, this.#sendBack(file, sizeBytes));
    this.#tell({ kind: 'begun', file });
  }

  /** What is good of it is kept. Written anew, sectors are good again, or others are taken for them. */
  async #sendBack(file: string, sizeBytes: number): Promise<void> {
    try {
      await sendBack(this.#layout, file, sizeBytes);
    } catch (error) {
      this.#options.log.warn({ err: error, file }, 'nothing could be kept of a file that is bad');
      // What fails here too has been told.
      await this.#delete(file).catch(() => undefined);
    } finally {
      this.#sendingBack.delete(file);
    }
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

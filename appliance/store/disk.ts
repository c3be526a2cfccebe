import { chunkSizeBytes, describedSizeBytes, openDescriptor } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert, coded, isCoded, toCoded, valueOf, type CodedError } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { ReadBy } from './chunk-check.ts';
import type { ContentForm, OpenContent } from './content.ts';
import { DiskLane } from './disk-lane.ts';
import { diskLayout, fileCostBytes, type DiskLayout } from './disk-layout.ts';
import type {
  DiskContents,
  DiskWriter,
  FoundDifference,
  ResumedDownload,
  WriteSpeed,
} from './disk-writer.ts';
import { Download, type PartialFile } from './download.ts';
import type { DiskStore, DiskUsage, HeldInfo, HoldingsChange, StoreUsage } from './file-store.ts';
import { FreeSpace } from './free-space.ts';
import { HeldReader, type HeldFault } from './held-reader.ts';
import type { OpenFiles } from './open-files.ts';

/** A disk did not do what was asked of it: it answered with an error, or it can only be read. */
export interface DiskTrouble {
  readonly op: 'read' | 'write';
  readonly error: CodedError;
}

/** What a disk is used with. */
export interface DiskOptions {
  /** The root. */
  path: string;
  /** No other disk of this process ever had it: reading threads are kept by it. */
  number: number;
  /** The device of its file system, which disks may share. */
  device: string;
  /** Does all that is done on it besides reading what is held. */
  writer: DiskWriter;
  contents: DiskContents;
  /** How much files may take; undefined for all that the disk has. */
  capacityBytes: number | undefined;
  /** What stays free for everything else on the disk. */
  reserveBytes: number;
  openFiles: OpenFiles;
  pool: BufferPool;
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

/** One directory as a disk: what it holds, read here, and its downloads; whatever changes it is the writer's. */
export class Disk implements DiskStore {
  readonly number: number;
  readonly root: string;
  readonly device: string;
  readonly roots: ReadonlyMap<number, string>;
  readonly held = new Map<string, HeldInfo>();
  readonly partial: Set<string>;
  readonly #options: DiskOptions;
  readonly #lane: DiskLane;
  readonly #space: FreeSpace;
  readonly #layout: DiskLayout;
  readonly #own = new Map<string, Download>();
  /** What each download under way takes once it is whole. */
  readonly #promisedBytes = new Map<string, number>();
  readonly #reader: HeldReader;
  /** When bytes of a file last left, in whatever process. */
  readonly #sentAtMs = new Map<string, number>();
  readonly #listeners: ((change: HoldingsChange) => void)[] = [];
  #writer: DiskWriter;
  #usedBytes = 0;
  #bytesPerSecond: number | undefined;
  #sharedBy = 1;
  /** Files that are held no more and are still being deleted. */
  #leaving = 0;

  constructor(options: DiskOptions) {
    const { number, path, device, openFiles, pool, clock, contents } = options;
    this.#options = options;
    this.#lane = new DiskLane(path);
    this.#space = new FreeSpace({ ask: () => this.#ask((writer) => writer.freeBytes()), clock });
    this.number = number;
    this.root = path;
    this.device = device;
    this.roots = new Map([[number, path]]);
    this.#layout = diskLayout(path);
    this.partial = new Set(contents.partial);
    this.#reader = new HeldReader({
      layout: this.#layout,
      disk: number,
      lane: this.#lane,
      openFiles,
      pool,
      sizeBytesOf: (file) => this.held.get(file)?.sizeBytes,
      onFault: (file, fault) => {
        this.#withdrawFaulty(file, fault);
      },
    });
    for (const [file, sizeBytes] of contents.held) this.#hold(file, sizeBytes);
    this.#writer = options.writer;
    this.#follow(options.writer);
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
    if (!this.held.has(file)) return false;
    // Descriptors opened earlier would show it as it was then.
    this.#reader.forget(file);
    if (!(await this.#ask((writer) => writer.examine(file)))) this.#withdraw(file);
    return this.held.has(file);
  }

  async usage(): Promise<StoreUsage> {
    const { capacityBytes, reserveBytes } = this.#options;
    const freeBytes = ((await this.#space.bytes()) - reserveBytes) / this.#sharedBy;
    const reachable = Math.max(0, Math.floor(this.#usedBytes + this.#partialBytes() + freeBytes));
    return { capacityBytes: Math.min(capacityBytes ?? Infinity, reachable), usedBytes: this.#usedBytes };
  }

  shareRoom(disks: number): void {
    assert(disks >= 1, 'a disk shares its room with itself at least');
    this.#sharedBy = disks;
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
    const sentAtMs = this.lastSentMs(file);
    return sentAtMs !== undefined && this.#options.clock.monotonicMs() - sentAtMs < sentRecentlyMs;
  }

  lastSentMs(file: string): number | undefined {
    return this.#sentAtMs.get(file);
  }

  noteSent(file: string): void {
    if (!this.held.has(file)) return;
    this.#sentAtMs.set(file, this.#options.clock.monotonicMs());
  }

  async begin(file: string, descriptor: Buffer): Promise<PartialFile> {
    assert(!this.#own.has(file), 'a download is begun twice');
    const tree = valueOf(openDescriptor(file, descriptor));
    const needBytes = this.costBytes(describedSizeBytes(descriptor) ?? 0);
    const { capacityBytes, usedBytes } = await this.usage();
    const freeBytes = this.#promisedBytes
      .values()
      .reduce((free, bytes) => free - bytes, capacityBytes - usedBytes);
    if (needBytes > freeBytes) throw coded('DISK_FULL', `${file} takes ${needBytes} bytes on ${this.root}`);
    this.#promisedBytes.set(file, needBytes);
    try {
      await this.#ask((writer) => writer.begin(file, descriptor));
    } catch (error) {
      this.#promisedBytes.delete(file);
      throw error;
    }
    return this.#adopt(file, { tree });
  }

  async resume(file: string): Promise<PartialFile | undefined> {
    if (!this.partial.has(file)) return undefined;
    assert(!this.#own.has(file), 'a download is resumed twice');
    const resumed = await this.#ask((writer) => writer.resume(file));
    if (resumed === undefined) {
      this.#forgetPartial(file);
      return undefined;
    }
    const tree = valueOf(openDescriptor(file, resumed.descriptor));
    this.#promisedBytes.set(file, this.costBytes(tree.sizeBytes));
    return this.#adopt(file, { tree, resumed });
  }

  async publish(partial: PartialFile): Promise<void> {
    const { file } = partial;
    if (partial.isOver) throw coded('DISK_GONE', `the download of ${file} has ended`);
    assert(this.#own.get(file) === partial && partial.isWhole(), 'only a whole download can be published');
    const speed = await this.#ask((writer) => writer.publish(file));
    this.#own.get(file)?.end();
    this.#forgetPartial(file);
    this.#rate(speed);
    this.#hold(file, partial.tree.sizeBytes);
    this.#tell({ kind: 'added', file });
  }

  async discard(file: string): Promise<void> {
    this.#own.get(file)?.end();
    this.#forgetPartial(file);
    await this.#ask((writer) => writer.discard(file));
  }

  async remove(file: string): Promise<void> {
    if (!this.#withdraw(file)) return;
    this.#leaving++;
    try {
      await this.#ask((writer) => writer.remove(file));
    } finally {
      this.#leaving--;
    }
  }

  isEmpty(): boolean {
    return this.held.size === 0 && this.#leaving === 0;
  }

  move(file: string, disk: number): void {
    assert(disk === this.number, `there is no other disk to move ${file} to`);
  }

  async check(file: string, index: number, by: ReadBy): Promise<'good' | 'bad' | 'gone'> {
    if (!this.held.has(file)) return 'gone';
    const outcome = await this.#ask((writer) => writer.check(file, index, by));
    if (!this.held.has(file)) return 'gone';
    if (outcome === 'bad') this.#reader.foundUnreadable(file);
    if (outcome === 'gone') this.#withdraw(file);
    return outcome;
  }

  onChange(listener: (change: HoldingsChange) => void): void {
    this.#listeners.push(listener);
  }

  /** The writer has ended: its downloads can be resumed once there is another one. What is held is read on. */
  suspend(): void {
    for (const download of this.#own.values()) download.end();
    this.#own.clear();
    this.#promisedBytes.clear();
  }

  /** Goes on with another writer, and holds what that one has found. */
  renew(writer: DiskWriter, { held, partial }: DiskContents): void {
    this.suspend();
    this.#writer = writer;
    this.#follow(writer);
    const found = new Map(held);
    for (const file of [...this.held.keys()]) if (!found.has(file)) this.#withdraw(file);
    for (const [file, sizeBytes] of found) this.#takeIn(file, sizeBytes);
    for (const file of partial) {
      if (this.partial.has(file)) continue;
      this.partial.add(file);
      this.#tell({ kind: 'begun', file });
    }
  }

  async close(): Promise<void> {
    this.#lane.abandon();
    this.suspend();
    this.#options.openFiles.forgetUnder(this.root);
    await this.#writer.close();
  }

  #follow(writer: DiskWriter): void {
    writer.onFound(({ file, sizeBytes }: FoundDifference) => {
      if (this.#writer !== writer) return;
      if (sizeBytes !== undefined) this.#takeIn(file, sizeBytes);
      else if (this.#withdraw(file)) this.#options.log.warn({ file }, 'a held file is not there any more');
    });
  }

  /** Asks the writer, for as long as the disk is in use, and tells of what is the disk's fault. */
  async #ask<T>(question: (writer: DiskWriter) => Promise<T>): Promise<T> {
    try {
      return await this.#lane.outlast(question(this.#writer));
    } catch (error) {
      if (isCoded(error, 'DISK_FAILED', 'DISK_READ_ONLY', 'DISK_GONE'))
        this.#options.onTrouble({ op: 'write', error });
      throw toCoded(error);
    }
  }

  #forgetPartial(file: string): void {
    this.#own.delete(file);
    this.#promisedBytes.delete(file);
    this.partial.delete(file);
  }

  #rate({ writtenBytes, spentMs }: WriteSpeed): void {
    if (writtenBytes < ratedBytesMin || spentMs <= 0) return;
    const rate = (writtenBytes * 1000) / spentMs;
    const before = this.#bytesPerSecond ?? rate;
    this.#bytesPerSecond = before + (rate - before) * ratedShare;
  }

  #adopt(
    file: string,
    known: { tree: PartialFile['tree']; resumed?: ResumedDownload | undefined },
  ): PartialFile {
    const put: DiskWriter['put'] = (...chunk) => this.#ask((writer) => writer.put(...chunk));
    const { buffers } = this.#writer;
    const download = new Download({ file, ...known, paths: this.#layout.partial(file), buffers, put });
    this.#own.set(file, download);
    this.partial.add(file);
    return download;
  }

  #hold(file: string, sizeBytes: number): void {
    if (this.held.has(file)) return;
    this.held.set(file, { sizeBytes, disk: this.number });
    this.#usedBytes += this.costBytes(sizeBytes);
  }

  #takeIn(file: string, sizeBytes: number): void {
    if (this.held.has(file)) return;
    this.#hold(file, sizeBytes);
    this.#tell({ kind: 'added', file });
  }

  /** Takes a file out of the holdings and tells so; false when it was not in them. */
  #withdraw(file: string): boolean {
    const info = this.held.get(file);
    if (info === undefined) return false;
    const lastSentMs = this.lastSentMs(file);
    this.held.delete(file);
    this.#sentAtMs.delete(file);
    this.#usedBytes -= this.costBytes(info.sizeBytes);
    this.#reader.forget(file);
    this.#tell({ kind: 'removed', file, lastSentMs });
    return true;
  }

  #withdrawFaulty(file: string, fault: HeldFault): void {
    const { log, onTrouble } = this.#options;
    if (!this.#withdraw(file)) return;
    if (fault === 'cut')
      log.error({ file, code: 'FILE_CORRUPT' }, 'a held file has another length than its own');
    // What fails of it has been told.
    if (fault !== 'unreadable') {
      void this.#ask((writer) => writer.examine(file)).catch(() => undefined);
      return;
    }
    const error = coded('DISK_FAILED', `${this.root} does not give the bytes of ${file}`);
    log.error({ file, err: error }, 'a held file cannot be read as it was written');
    onTrouble({ op: 'read', error });
    // Written anew, sectors are good again, or others are taken for them. Who resumes it comes after this.
    void this.#ask((writer) => writer.sendBack(file)).catch(() => undefined);
    this.partial.add(file);
    this.#tell({ kind: 'begun', file });
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

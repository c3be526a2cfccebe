import { SingleFlight } from '../../common/core/single-flight.ts';
import { assert, coded } from '../../common/runtime/errors.ts';
import type { ReadBy } from '../store/chunk-check.ts';
import type { ContentForm, OpenContent } from '../store/content.ts';
import type { DiskUsage, FileStore, HeldInfo, HoldingsChange, StoreUsage } from '../store/file-store.ts';
import type { PartialFile } from '../store/download.ts';
import { SharedPartial } from './shared-partial.ts';

/**
 * A store whose downloads have one owner, this one: fill and pull-through both open, write and end them here, and whoever
 * comes second joins. What fill gives up and pull-through still has a use for stays.
 */
export class SharedStore implements FileStore {
  readonly #store: FileStore;
  readonly #open = new Map<string, SharedPartial>();
  readonly #openings = new SingleFlight<SharedPartial | undefined>();
  readonly #endings = new SingleFlight<void>();
  /** Whether a download is worth keeping although fill does not want it. */
  #isKept: (file: string) => boolean = () => false;

  constructor(store: FileStore) {
    this.#store = store;
  }

  /** Sets what is asked before a download that fill gives up is deleted. */
  keep(isKept: (file: string) => boolean): void {
    this.#isKept = isKept;
  }

  get held(): ReadonlyMap<string, HeldInfo> {
    return this.#store.held;
  }

  get partial(): ReadonlySet<string> {
    return this.#store.partial;
  }

  /** The download that is open, the one that lies on the disk, or undefined. */
  async resume(file: string): Promise<SharedPartial | undefined> {
    return this.#opened(file, async () => this.#adopt(await this.#store.resume(file)));
  }

  /** The download that is open, the one that lies on the disk, or a new one. ABORTED where it came to its end meanwhile. */
  async begin(file: string, descriptor: Buffer, disk?: number): Promise<SharedPartial> {
    const open =
      (await this.resume(file)) ?? (await this.#opened(file, () => this.#begin(file, descriptor, disk)));
    assert(open !== undefined, 'a download that is begun is there');
    return open;
  }

  /** Once, whoever comes first; it may be held already. ABORTED where it was given up meanwhile. */
  async publish(partial: PartialFile): Promise<void> {
    const { file } = partial;
    await this.#endings.run(file, async () => {
      const shared = this.#open.get(file);
      if (shared === undefined) return;
      await shared.end('whole');
      await this.#store.publish(shared.inner);
      this.#open.delete(file);
    });
    if (!this.held.has(file)) throw coded('ABORTED', `the download of ${file} was given up`);
  }

  /** Gives a download up unless it is kept. */
  async discard(file: string): Promise<void> {
    if (!this.#isKept(file)) await this.drop(file);
  }

  /** Gives a download up and its bytes, whoever works on it. */
  async drop(file: string): Promise<void> {
    await this.#endings.run(file, async () => {
      const shared = this.#open.get(file);
      this.#open.delete(file);
      await shared?.end('gone');
      await this.#store.discard(file);
    });
  }

  open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    return this.#store.open(file, form);
  }

  foundCut(file: string): void {
    this.#store.foundCut?.(file);
  }

  foundUnreadable(file: string): void {
    this.#store.foundUnreadable?.(file);
  }

  get roots(): ReadonlyMap<number, string> {
    return this.#store.roots;
  }

  rooms(): Promise<readonly DiskUsage[]> {
    return this.#store.rooms();
  }

  begunOn(file: string): number | undefined {
    return this.#store.begunOn(file);
  }

  move(file: string, disk: number): void {
    this.#store.move(file, disk);
  }

  check(file: string, index: number, by: ReadBy): ReturnType<FileStore['check']> {
    return this.#store.check(file, index, by);
  }

  usage(): Promise<StoreUsage> {
    return this.#store.usage();
  }

  costBytes(sizeBytes: number): number {
    return this.#store.costBytes(sizeBytes);
  }

  inUse(file: string): boolean {
    return this.#store.inUse(file);
  }

  noteSent(file: string): void {
    this.#store.noteSent(file);
  }

  inspect(file: string): Promise<boolean> {
    return this.#store.inspect(file);
  }

  remove(file: string): Promise<void> {
    return this.#store.remove(file);
  }

  onChange(listener: (change: HoldingsChange) => void): void {
    this.#store.onChange(listener);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #opened(
    file: string,
    start: () => Promise<SharedPartial | undefined>,
  ): Promise<SharedPartial | undefined> {
    const open = this.#open.get(file);
    // Its disk has been taken out and took the download along, or is written by another process now.
    if (open !== undefined && !this.held.has(file) && (open.isGone || !this.partial.has(file))) {
      this.#open.delete(file);
      await open.end('gone');
    }
    return this.#open.get(file) ?? (await this.#openings.run(file, start));
  }

  async #begin(file: string, descriptor: Buffer, disk?: number): Promise<SharedPartial | undefined> {
    if (this.held.has(file)) throw coded('ABORTED', `${file} is held already`);
    return this.#adopt(await this.#store.begin(file, descriptor, disk));
  }

  #adopt(inner: PartialFile | undefined): SharedPartial | undefined {
    if (inner === undefined) return undefined;
    const shared = new SharedPartial(inner);
    this.#open.set(inner.file, shared);
    return shared;
  }
}

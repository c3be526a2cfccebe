import type { WantedFile } from '../core/fill-diff.ts';
import type { FileStore } from '../store/file-store.ts';

/** What the manifest wants, and how much of it is held on each disk and still to come: room that nobody else may take. */
export class PlannedFiles {
  readonly #store: Pick<FileStore, 'held' | 'costBytes'>;
  #costs: ReadonlyMap<string, number> = new Map();
  /** File → disk, of those that are held. */
  readonly #disks = new Map<string, number>();
  readonly #heldBytes = new Map<number, number>();
  #missingBytes = 0;

  constructor(store: Pick<FileStore, 'held' | 'costBytes' | 'onChange'>) {
    this.#store = store;
    store.onChange(({ file }) => {
      this.#look(file);
    });
  }

  /** What the wanted files that are not held take, in bytes. */
  get missingBytes(): number {
    return this.#missingBytes;
  }

  /** What those that are held on a disk take of it. */
  heldBytesOn(disk: number): number {
    return this.#heldBytes.get(disk) ?? 0;
  }

  wants(file: string): boolean {
    return this.#costs.has(file);
  }

  /** Takes the files of a manifest. @returns those that it wants and the one before did not, or the other way round. */
  set(files: readonly WantedFile[]): Set<string> {
    const before = new Set(this.#costs.keys());
    this.#costs = new Map(files.map(({ file, sizeBytes }) => [file, this.#store.costBytes(sizeBytes)]));
    this.#disks.clear();
    this.#heldBytes.clear();
    this.#missingBytes = 0;
    for (const costBytes of this.#costs.values()) this.#missingBytes += costBytes;
    for (const file of this.#costs.keys()) this.#look(file);
    return before.symmetricDifference(this.#costs);
  }

  /** Counts a file where it is now: it comes, goes, and moves from disk to disk. */
  #look(file: string): void {
    const costBytes = this.#costs.get(file);
    if (costBytes === undefined) return;
    const before = this.#disks.get(file);
    const now = this.#store.held.get(file)?.disk;
    if (before === now) return;
    if (before === undefined) this.#missingBytes -= costBytes;
    else this.#heldBytes.set(before, this.heldBytesOn(before) - costBytes);
    if (now === undefined) {
      this.#missingBytes += costBytes;
      this.#disks.delete(file);
    } else {
      this.#heldBytes.set(now, this.heldBytesOn(now) + costBytes);
      this.#disks.set(file, now);
    }
  }
}

import type { ContentForm, ContentSource, OpenContent } from '../store/content.ts';
import type { BufferPool } from '../store/buffer-pool.ts';
import { DiskLane } from '../store/disk-lane.ts';
import { diskLayout } from '../store/disk-layout.ts';
import type { HeldInfo } from '../store/file-store.ts';
import { HeldReader, type HeldFault } from '../store/held-reader.ts';
import type { OpenFiles } from '../store/open-files.ts';

export interface HeldViewOptions {
  openFiles: OpenFiles;
  pool: BufferPool;
  /** A file is not what it should be: whoever writes its disk has to look. */
  onFault: (file: string, fault: HeldFault) => void;
}

/**
 * The disks as those see them who only read: what they hold is told by the process that writes them. A faulty file is out
 * of the view at once, and in it again when that process says so.
 */
export class HeldView implements ContentSource {
  readonly #options: HeldViewOptions;
  readonly #held = new Map<string, HeldInfo>();
  readonly #readers = new Map<number, HeldReader>();
  readonly #lanes = new Map<number, DiskLane>();

  constructor(options: HeldViewOptions) {
    this.#options = options;
  }

  open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    return this.#readerOf(file)?.open(file, form) ?? Promise.resolve(undefined);
  }

  foundCut(file: string): void {
    this.#readerOf(file)?.foundCut(file);
  }

  foundUnreadable(file: string): void {
    this.#readerOf(file)?.foundUnreadable(file);
  }

  /**
   * Takes which disks there are, number → root.
   *
   * @returns the files of those that are gone, which are in the view no longer.
   */
  setDisks(roots: ReadonlyMap<number, string>): string[] {
    for (const [disk, path] of roots) {
      if (!this.#readers.has(disk)) this.#readers.set(disk, this.#createReader(disk, path));
    }
    const gone = [...this.#readers.keys()].filter((disk) => !roots.has(disk));
    if (gone.length === 0) return [];
    const files = [...this.#held].flatMap(([file, { disk }]) => (roots.has(disk) ? [] : [file]));
    for (const file of files) this.#held.delete(file);
    for (const disk of gone) {
      this.#readers.get(disk)?.forgetAll();
      this.#readers.delete(disk);
      this.#lanes.get(disk)?.abandon();
      this.#lanes.delete(disk);
    }
    return files;
  }

  add(file: string, info: HeldInfo): void {
    this.#held.set(file, info);
  }

  remove(file: string): void {
    this.#readerOf(file)?.forget(file);
    this.#held.delete(file);
  }

  #readerOf(file: string): HeldReader | undefined {
    return this.#readers.get(this.#held.get(file)?.disk ?? -1);
  }

  #createReader(disk: number, path: string): HeldReader {
    const { openFiles, pool, onFault } = this.#options;
    const lane = new DiskLane(path);
    this.#lanes.set(disk, lane);
    return new HeldReader({
      layout: diskLayout(path),
      disk,
      lane,
      openFiles,
      pool,
      sizeBytesOf: (file) => this.#held.get(file)?.sizeBytes,
      onFault: (file, fault) => {
        // Two readers may meet the same fault.
        if (!this.#held.has(file)) return;
        this.remove(file);
        onFault(file, fault);
      },
    });
  }
}

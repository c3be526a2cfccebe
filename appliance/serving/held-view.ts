import type { ContentForm, ContentSource, OpenContent } from '../store/content.ts';
import type { BufferPool } from '../store/buffer-pool.ts';
import { diskLayout } from '../store/disk-layout.ts';
import { HeldReader, type HeldFault } from '../store/held-reader.ts';
import type { OpenFiles } from '../store/open-files.ts';

export interface HeldViewOptions {
  /** The root of the disk. */
  path: string;
  openFiles: OpenFiles;
  pool: BufferPool;
  /** A file is not what it should be: whoever writes the disk has to look. */
  onFault: (file: string, fault: HeldFault) => void;
}

/**
 * A disk as those see it who only read: what it holds is told by the process that writes it. A faulty file is out of the
 * view at once, and in it again when that process says so.
 */
export class HeldView implements ContentSource {
  readonly #sizes = new Map<string, number>();
  readonly #reader: HeldReader;

  constructor({ path, openFiles, pool, onFault }: HeldViewOptions) {
    this.#reader = new HeldReader({
      layout: diskLayout(path),
      openFiles,
      pool,
      sizeBytesOf: (file) => this.#sizes.get(file),
      onFault: (file, fault) => {
        // Two readers may meet the same fault.
        if (!this.#sizes.has(file)) return;
        this.remove(file);
        onFault(file, fault);
      },
    });
  }

  open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    return this.#reader.open(file, form);
  }

  foundCut(file: string): void {
    this.#reader.foundCut(file);
  }

  add(file: string, sizeBytes: number): void {
    this.#sizes.set(file, sizeBytes);
  }

  remove(file: string): void {
    this.#sizes.delete(file);
    this.#reader.forget(file);
  }
}

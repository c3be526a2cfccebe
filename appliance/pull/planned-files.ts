import type { WantedFile } from '../core/fill-diff.ts';
import type { FileStore } from '../store/file-store.ts';

/** What the manifest wants, and how much of it is still to come: room that nobody else may take. */
export class PlannedFiles {
  readonly #store: Pick<FileStore, 'held' | 'costBytes'>;
  #costs: ReadonlyMap<string, number> = new Map();
  #missingBytes = 0;

  constructor(store: Pick<FileStore, 'held' | 'costBytes' | 'onChange'>) {
    this.#store = store;
    store.onChange(({ kind, file }) => {
      const costBytes = this.#costs.get(file) ?? 0;
      this.#missingBytes += kind === 'added' ? -costBytes : costBytes;
    });
  }

  /** What the wanted files that are not held take, in bytes. */
  get missingBytes(): number {
    return this.#missingBytes;
  }

  /** Takes the files of a manifest. */
  set(files: readonly WantedFile[]): void {
    const { held } = this.#store;
    const costs = new Map(files.map(({ file, sizeBytes }) => [file, this.#store.costBytes(sizeBytes)]));
    this.#costs = costs;
    this.#missingBytes = 0;
    for (const [file, costBytes] of costs) if (!held.has(file)) this.#missingBytes += costBytes;
  }

  wants(file: string): boolean {
    return this.#costs.has(file);
  }
}

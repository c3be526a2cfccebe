import { close, fstat, open, read } from 'node:fs';

import { assert, coded, systemCode } from '../../common/runtime/errors.ts';
import { storeFailure } from './failure.ts';

/** A descriptor on loan, with what `fstat` said when it was opened. */
export interface FileLease {
  readonly fd: number;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** Reads into the buffer from its start; returns how many bytes came, 0 at the end of the file. */
  read(buffer: Buffer, lengthBytes: number, positionBytes: number): Promise<number>;
  release(): void;
}

interface Entry {
  readonly opening: Promise<OpenedFile | undefined>;
  /** Set once it is open; without references it always is. */
  opened: OpenedFile | undefined;
  references: number;
  /** Out of the table: closed as soon as nobody reads it. */
  forgotten: boolean;
}

interface OpenedFile {
  readonly fd: number;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/**
 * Descriptors of files that were read lately. Each is shared by its readers and counted; idle ones are closed, oldest
 * first, when there are more than `openMax`; those in use never are.
 */
export class OpenFiles {
  readonly #openMax: number;
  /** Least recently asked for first. */
  readonly #entries = new Map<string, Entry>();
  #openCount = 0;

  constructor(options: { openMax: number }) {
    this.#openMax = options.openMax;
  }

  /** Descriptors that are open now. */
  get size(): number {
    return this.#openCount;
  }

  /** Whether somebody reads the file now. */
  inUse(path: string): boolean {
    return (this.#entries.get(path)?.references ?? 0) > 0;
  }

  /** Opens the file or shares the open one; undefined when there is none. Errors: OVERLOADED (no descriptors left), STORE_UNAVAILABLE. */
  async acquire(path: string): Promise<FileLease | undefined> {
    const entry = this.#entries.get(path) ?? this.#add(path);
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    entry.references++;
    const opened = await entry.opening.catch((error: unknown) => {
      this.#drop(path, entry);
      throw error;
    });
    if (opened === undefined) {
      this.#drop(path, entry);
      return undefined;
    }
    if (entry.opened === undefined) {
      entry.opened = opened;
      this.#openCount++;
    }
    this.#trim();
    return this.#lease(entry, opened);
  }

  /** Takes the file out of the table; its descriptor is closed once its last reader is done. */
  forget(path: string): void {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    this.#entries.delete(path);
    this.#retire(entry);
  }

  /** Forgets every file below a directory. */
  forgetUnder(directory: string): void {
    const start = `${directory}/`;
    for (const path of [...this.#entries.keys()]) if (path.startsWith(start)) this.forget(path);
  }

  #add(path: string): Entry {
    const entry: Entry = { opening: this.#open(path), opened: undefined, references: 0, forgotten: false };
    this.#entries.set(path, entry);
    return entry;
  }

  async #open(path: string): Promise<OpenedFile | undefined> {
    try {
      return await openFile(path);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      if (code === 'EMFILE' || code === 'ENFILE') {
        throw coded('OVERLOADED', { detail: 'no file descriptors left', cause: error, retryAfterMs: 1000 });
      }
      throw storeFailure(error, `opening ${path}`);
    }
  }

  #lease(entry: Entry, opened: OpenedFile): FileLease {
    let released = false;
    return {
      fd: opened.fd,
      sizeBytes: opened.sizeBytes,
      modifiedAtMs: opened.modifiedAtMs,
      read: async (buffer, lengthBytes, positionBytes) => {
        assert(!released, 'a released file is read');
        // A read under way keeps the descriptor open even when its reader lets go meanwhile.
        entry.references++;
        try {
          return await readAt(opened.fd, { buffer, lengthBytes, positionBytes });
        } finally {
          this.#unreference(entry);
        }
      },
      release: () => {
        if (released) return;
        released = true;
        this.#unreference(entry);
      },
    };
  }

  #unreference(entry: Entry): void {
    entry.references--;
    assert(entry.references >= 0, 'a file was released more often than it was opened');
    if (entry.forgotten) this.#closeIfIdle(entry);
  }

  /** An open that failed leaves no entry behind. */
  #drop(path: string, entry: Entry): void {
    entry.references--;
    if (this.#entries.get(path) === entry) this.#entries.delete(path);
  }

  #trim(): void {
    if (this.#openCount <= this.#openMax) return;
    for (const [path, entry] of this.#entries) {
      if (this.#openCount <= this.#openMax) return;
      if (entry.references > 0) continue;
      this.#entries.delete(path);
      this.#retire(entry);
    }
  }

  #retire(entry: Entry): void {
    entry.forgotten = true;
    this.#closeIfIdle(entry);
  }

  #closeIfIdle(entry: Entry): void {
    if (entry.references > 0 || entry.opened === undefined) return;
    this.#openCount--;
    close(entry.opened.fd, () => undefined);
    entry.opened = undefined;
  }
}

function openFile(path: string): Promise<OpenedFile> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (openError, fd) => {
      if (openError !== null) {
        reject(openError);
        return;
      }
      fstat(fd, (statError, stat) => {
        if (statError === null) resolve({ fd, sizeBytes: stat.size, modifiedAtMs: stat.mtimeMs });
        else
          close(fd, () => {
            reject(statError);
          });
      });
    });
  });
}

/** Reads at a position of an open descriptor. */
export function readAt(
  fd: number,
  what: { buffer: Buffer; lengthBytes: number; positionBytes: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, what.buffer, 0, what.lengthBytes, what.positionBytes, (error, count) => {
      if (error === null) resolve(count);
      else reject(storeFailure(error, 'reading'));
    });
  });
}

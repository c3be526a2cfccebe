import { coded, type CodedError } from '../../common/runtime/errors.ts';
import { Limiter } from '../../common/core/limiter.ts';

/** Of a process's threads for files, so many may hang in one disk. */
const readsMax = 4;

/**
 * All that is asked of one disk. Reads go on few at a time, so that a disk that hangs keeps few threads; and whoever waits
 * is let go when the disk is given up, whatever becomes of what was asked.
 */
export class DiskLane {
  readonly #root: string;
  readonly #limiter = new Limiter({ runsMax: readsMax });
  readonly #waiting = new Set<(error: CodedError) => void>();
  #gone: CodedError | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Reads when it is this one's turn. Errors: DISK_GONE, and the read's. */
  read<T>(work: () => Promise<T>): Promise<T> {
    return this.outlast(
      this.#limiter.run(() => (this.#gone === undefined ? work() : Promise.reject(this.#gone))),
    );
  }

  /** Waits for something under way, but no longer than the disk is there. Errors: DISK_GONE, and its own. */
  outlast<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#gone === undefined) this.#waiting.add(reject);
      else reject(this.#gone);
      void work.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  /** The disk is given up. */
  abandon(): void {
    this.#gone ??= coded('DISK_GONE', `${this.#root} has been taken out of use`);
    for (const reject of this.#waiting) reject(this.#gone);
    this.#waiting.clear();
  }
}

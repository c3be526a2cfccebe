import { chunkCount, chunkLengthBytes, chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { OpenContent } from './content.ts';
import type { DiskStore } from './file-store.ts';

export interface FileMovesOptions {
  /** The disk that holds the file now. */
  from: (file: string) => DiskStore | undefined;
  /** A disk that takes files. */
  to: (disk: number) => DiskStore | undefined;
  clock: Clock;
  log: Log;
}

/** Moves held files from disk to disk, one after the other. Each chunk is verified on its way; half of the time is the viewers'. */
export class FileMoves {
  readonly #options: FileMovesOptions;
  /** File → disk; at most as many as are held. */
  readonly #waiting = new Map<string, number>();
  #run: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: FileMovesOptions) {
    this.#options = options;
  }

  /** Moves the file some time, unless that is under way already. */
  add(file: string, disk: number): void {
    if (this.#isClosed) return;
    this.#waiting.set(file, disk);
    this.#run ??= this.#work();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiting.clear();
    await this.#run;
  }

  async #work(): Promise<void> {
    for (const [file, number] of this.#waiting) {
      const from = this.#options.from(file);
      const to = this.#options.to(number);
      try {
        if (from !== undefined && to !== undefined && from !== to) await this.#move(file, from, to);
      } catch (error) {
        this.#options.log.warn({ err: error, file }, 'a file could not be moved to another disk');
      }
      this.#waiting.delete(file);
    }
    this.#run = undefined;
  }

  async #move(file: string, from: DiskStore, to: DiskStore): Promise<void> {
    const { clock } = this.#options;
    const list = await from.open(file, 'descriptor');
    const content = await from.open(file, 'content');
    try {
      if (list === undefined || content === undefined) return;
      const partial = await to.begin(file, await readAll(list, 0, list.sizeBytes));
      try {
        for (let index = 0; index < chunkCount(content.sizeBytes) && !this.#isClosed; index++) {
          const startedMs = clock.monotonicMs();
          const lengthBytes = chunkLengthBytes(content.sizeBytes, index);
          const chunk = await readAll(content, index * chunkSizeBytes, lengthBytes);
          if (!(await partial.put(index, chunk))) {
            from.foundUnreadable?.(file);
            throw coded('FILE_CORRUPT', `chunk ${index} of ${file} does not match its hash`);
          }
          await clock.sleep(clock.monotonicMs() - startedMs);
        }
        if (!partial.isWhole()) throw coded('ABORTED', 'the box stops');
        // From here on it is held there.
        await to.publish(partial);
      } catch (error) {
        await to.discard(file);
        throw error;
      }
    } finally {
      list?.release();
      content?.release();
    }
    await from.remove(file);
  }
}

async function readAll(content: OpenContent, positionBytes: number, lengthBytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(lengthBytes);
  for (let done = 0; done < lengthBytes;) {
    const piece = await content.read(positionBytes + done, lengthBytes - done);
    done += Buffer.from(piece.bytes).copy(whole, done);
    piece.release();
  }
  return whole;
}

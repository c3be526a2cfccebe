import { descriptorLengthBytes } from '../../common/core/chunk-tree.ts';
import { coded, isCoded } from '../../common/runtime/errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { ContentForm, ContentSource, OpenContent } from './content.ts';
import type { DiskLane } from './disk-lane.ts';
import type { DiskLayout } from './disk-layout.ts';
import type { FileLease, OpenFiles } from './open-files.ts';

/** What is wrong with a file that was held: somebody deleted it, or cut it, or its disk does not give its bytes as they were. */
export type HeldFault = 'missing' | 'cut' | 'unreadable';

export interface HeldReaderOptions {
  layout: DiskLayout;
  /** The number of the disk. */
  disk: number;
  lane: DiskLane;
  openFiles: OpenFiles;
  pool: BufferPool;
  /** The size of a file that is held, or undefined. */
  sizeBytesOf: (file: string) => number | undefined;
  /** A held file is not what it was and must not be offered any longer. */
  onFault: (file: string, fault: HeldFault) => void;
}

/** Reads the held files of one disk. Never writes: any number of processes may read beside the one that does. */
export class HeldReader implements ContentSource {
  readonly #options: HeldReaderOptions;

  constructor(options: HeldReaderOptions) {
    this.#options = options;
  }

  async open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    const { layout, disk, lane, openFiles, pool, sizeBytesOf, onFault } = this.#options;
    const sizeBytes = sizeBytesOf(file);
    if (sizeBytes === undefined) return undefined;
    const path = form === 'content' ? layout.content(file) : layout.descriptor(file);
    const lease = await lane
      .read(() => openFiles.acquire(path))
      .catch((error: unknown): never => {
        if (isCoded(error, 'DISK_FAILED')) onFault(file, 'unreadable');
        throw error;
      });
    if (lease === undefined) {
      onFault(file, 'missing');
      return undefined;
    }
    const expectedBytes = form === 'content' ? sizeBytes : descriptorLengthBytes(sizeBytes);
    if (lease.sizeBytes !== expectedBytes) {
      // What somebody cut must never pass for the whole: it is let go of and fetched again.
      lease.release();
      onFault(file, 'cut');
      return undefined;
    }
    return openContent(lease, {
      pool,
      disk,
      lane,
      onFault: (fault) => {
        onFault(file, fault);
      },
    });
  }

  foundCut(file: string): void {
    this.#options.onFault(file, 'cut');
  }

  foundUnreadable(file: string): void {
    this.#options.onFault(file, 'unreadable');
  }

  /** Whether this process reads the file now. */
  inUse(file: string): boolean {
    return this.#options.openFiles.inUse(this.#options.layout.content(file));
  }

  /** Closes the descriptors of all of the disk; readers finish. */
  forgetAll(): void {
    const { openFiles, layout } = this.#options;
    openFiles.forgetUnder(layout.filesPath);
  }

  /** Closes its descriptors; readers finish. */
  forget(file: string): void {
    const { openFiles, layout } = this.#options;
    openFiles.forget(layout.content(file));
    openFiles.forget(layout.descriptor(file));
  }
}

function openContent(
  lease: FileLease,
  options: { pool: BufferPool; disk: number; lane: DiskLane; onFault: (fault: HeldFault) => void },
): OpenContent {
  const { pool, disk, lane, onFault } = options;
  return {
    whole: { fd: lease.fd, disk },
    sizeBytes: lease.sizeBytes,
    lastModifiedMs: lease.modifiedAtMs,
    isLocal: () => true,
    read: (positionBytes, lengthBytes) =>
      lane.read(async () => {
        const loan = pool.lend(lengthBytes);
        try {
          const count = await lease.read(
            loan.buffer,
            Math.min(lengthBytes, loan.buffer.length),
            positionBytes,
          );
          // The file was as long as its name says when it was published; somebody cut it.
          if (count === 0) {
            onFault('cut');
            throw coded('FILE_CORRUPT', 'a held file is shorter than it was');
          }
          return loan.piece(count);
        } catch (error) {
          loan.giveBack();
          if (isCoded(error, 'DISK_FAILED')) onFault('unreadable');
          throw error;
        }
      }),
    release: () => {
      lease.release();
    },
  };
}

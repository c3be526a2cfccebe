import type { DiskCapacity } from '../core/fill-diff.ts';
import type { ReadBy } from './chunk-check.ts';
import type { ContentSource } from './content.ts';
import type { PartialFile } from './download.ts';

/** Room for files, in bytes. */
export interface StoreUsage {
  /** What files may take in all: the configured bound or what the disk has, less the reserve. */
  readonly capacityBytes: number;
  /** What held files take. */
  readonly usedBytes: number;
}

/** What is known of a held file without opening it. */
export interface HeldInfo {
  readonly sizeBytes: number;
  /** The number of the disk that it is on. */
  readonly disk: number;
}

/** A disk's room for files. */
export interface DiskUsage extends DiskCapacity {
  /** What its held files take. */
  readonly usedBytes: number;
  /** What its downloads will take once they are whole. */
  readonly promisedBytes: number;
}

/**
 * What changed in the holdings. A file is added only once it can be read whole, and removed before it is deleted. What is
 * left of one that was found bad is begun: it can be resumed.
 */
export interface HoldingsChange {
  readonly kind: 'added' | 'removed' | 'begun';
  readonly file: string;
  /** When bytes of a removed file last left (monotonic ms); undefined where none have. */
  readonly lastSentMs?: number | undefined;
}

/** Held files and the downloads that become held files. One disk is one; several behind one face are one too. */
export interface FileStore extends ContentSource {
  /** Every file that is held whole. Not to be changed by readers. */
  readonly held: ReadonlyMap<string, HeldInfo>;
  /** Downloads that are begun and not finished. */
  readonly partial: ReadonlySet<string>;
  /** Disk number → root, of every disk whose files are held. */
  readonly roots: ReadonlyMap<number, string>;
  usage(): Promise<StoreUsage>;
  /** The same by disk, of those that take files. */
  rooms(): Promise<readonly DiskUsage[]>;
  /** The disk that a download is on. */
  begunOn(file: string): number | undefined;
  /** What a file of that size takes of the capacity. */
  costBytes(sizeBytes: number): number;
  /** Whether somebody reads it, as far as is known here. */
  inUse(file: string): boolean;
  /** Bytes of the file have left, maybe from another process: it is in use. */
  noteSent(file: string): void;
  /** Looks at a file that another process found missing or cut, and withdraws it if so. @returns whether it is held. */
  inspect(file: string): Promise<boolean>;
  /**
   * Begins a download, where it fits on the disk that is named. Errors: FILE_CORRUPT (the chunk list is not the file's),
   * DISK_FULL (before anything is written), DISK_FAILED, STORE_UNAVAILABLE.
   */
  begin(file: string, descriptor: Buffer, disk?: number): Promise<PartialFile>;
  /** Goes on with a download, its chunks verified anew; undefined when there is none that is of use. */
  resume(file: string): Promise<PartialFile | undefined>;
  /** Makes a whole download a held file: durable, renamed, announced, in this order. */
  publish(partial: PartialFile): Promise<void>;
  /** Gives up a download and its bytes. */
  discard(file: string): Promise<void>;
  /** Deletes a held file. Its readers finish. */
  remove(file: string): Promise<void>;
  /** Moves a held file to another disk, some time; it is held all the while. */
  move(file: string, disk: number): void;
  /**
   * Verifies a chunk of a held file. A bad one takes the file out of the holdings; what is good of it can be resumed.
   * `gone`: the file is not held any more.
   */
  check(file: string, index: number, by: ReadBy): Promise<'good' | 'bad' | 'gone'>;
  /** Tells every change of the holdings, in order, after it has happened. */
  onChange(listener: (change: HoldingsChange) => void): void;
  close(): Promise<void>;
}

/** One disk. */
export interface DiskStore extends FileStore {
  readonly number: number;
  readonly root: string;
  /** The device of its file system. */
  readonly device: string;
  /** When bytes of a held file last left (monotonic ms); undefined where none have. */
  lastSentMs(file: string): number | undefined;
  /** So many disks, this one among them, take files on its file system: of what is free there each has its part. */
  shareRoom(disks: number): void;
  /** Whether it holds no file, and none is being deleted. */
  isEmpty(): boolean;
}

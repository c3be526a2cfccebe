import type { StoreCopyOptions } from '../records/port.ts';
import type { RegisterKind, ViewingEntry, ViewingRegister, ViewingRows } from '../../core/viewing-state.ts';

/** Where a page of viewings goes on: behind this one. */
export type ViewingCursor = Pick<ViewingEntry, 'startedAtMs' | 'viewingId'>;

export interface ViewingPage {
  readonly before?: ViewingCursor | undefined;
  /** At most 1,000. */
  readonly limit: number;
}

export interface RegisterPage {
  /** Only titles whose ids come after this one: the last of the page before. */
  readonly after?: string | undefined;
  /** At most 1,000. */
  readonly limit: number;
}

/**
 * What profiles watch, as rows that are joined (common/core/viewing-state.ts): replicas of it converge, and nothing is read to be
 * written. A partition is a profile; in it registers lie by kind and title, viewings by their start, the newest first.
 * Ids are ASCII without spaces, at most 64 characters; numbers are whole and safe.
 * Errors: INVALID, DISK_FULL, STORE_CORRUPT, STORE_DENIED, STORE_UNAVAILABLE.
 */
export interface Viewing {
  /** Joins rows to those that are there, all or none; what a resolved call has joined survives a power cut. At most 10,000. */
  join(rows: ViewingRows): Promise<void>;
  /** The registers of some titles, those that there are, in any order; at most 1,000 titles. */
  registersOf(
    profileId: string,
    kind: RegisterKind,
    titleIds: readonly string[],
  ): Promise<readonly ViewingRegister[]>;
  /** Registers by the ids of their titles. */
  registers(profileId: string, kind: RegisterKind, page: RegisterPage): Promise<readonly ViewingRegister[]>;
  /** Viewings, the one that began last first. */
  viewings(profileId: string, page: ViewingPage): Promise<readonly ViewingEntry[]>;
  /** Removes all of a profile; what is in files until `purge`. */
  erase(profileId: string): Promise<void>;
  /** Removes viewings of all profiles that began before, 10,000 at most. @returns how many they were. */
  prune(beforeMs: number): Promise<number>;
  /** What was removed before this was called is in no file when it resolves, but of stores so large that all else would wait for it. */
  purge(): Promise<void>;
  /** Copies it to a new local file that the same engine opens, while it is read and joined. It is on the disk when this resolves. */
  copyTo(path: string, options: StoreCopyOptions): Promise<void>;
  close(): Promise<void>;
}

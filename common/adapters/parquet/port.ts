/** An event as a row of a Parquet file: `data` as JSON. */
export interface EventRow {
  readonly offset: number;
  readonly id: string | undefined;
  readonly type: string;
  readonly timeMs: number;
  readonly data: string;
}

/** A file that was written: the rows of one type and day (UTC, `2026-11-22`), by their offsets. */
export interface WrittenParquet {
  readonly type: string;
  readonly day: string;
  readonly path: string;
  readonly rows: number;
}

/**
 * Writes events as Parquet files: columns `offset` (64-bit integer), `id` (text, or null), `time` (UTC) and `data` (JSON as text), compressed by
 * Zstandard. Close it in any case: it holds memory of its own.
 */
export interface EventParquet {
  add(rows: readonly EventRow[]): void;
  /** Writes all rows into files in a folder, one for each type and day, ordered by these. Errors: STORE_UNAVAILABLE. */
  write(directory: string): Promise<WrittenParquet[]>;
  close(): void;
}

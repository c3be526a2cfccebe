import { coded } from '../../runtime/errors.ts';
import type { EventParquet } from './port.ts';

/**
 * Opens a writer of Parquet files by DuckDB, which is loaded now and not when the process starts: it has 70 MB. Errors: PARQUET_UNAVAILABLE
 * where this machine has no DuckDB.
 */
export async function openEventParquet(): Promise<EventParquet> {
  const engine = await import('./duckdb.ts').catch((cause: unknown) => {
    throw coded('PARQUET_UNAVAILABLE', { cause });
  });
  return engine.openDuckDbParquet();
}

import { coded } from '../../runtime/errors.ts';
import type { EventParquet } from './port.ts';

/**
 * Opens a writer of Parquet files by DuckDB, which is loaded now and not when the process starts: it has 70 MB. Errors: PARQUET_UNAVAILABLE
 * where this machine has no DuckDB.
 */
export async function openEventParquet(): Promise<EventParquet> {
  let engine: typeof import('./duckdb.ts');
  try {
    engine = await import('./duckdb.ts');
  } catch (error) {
    throw coded('PARQUET_UNAVAILABLE', { cause: error });
  }
  return engine.openDuckDbParquet();
}

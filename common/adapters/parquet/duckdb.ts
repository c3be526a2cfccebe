import { join } from 'node:path';
import {
  DuckDBInstance,
  DuckDBTimestampValue,
  type DuckDBAppender,
  type DuckDBConnection,
} from '@duckdb/node-api';
import { storeError } from '../shared/store-error.ts';
import type { EventParquet, EventRow, WrittenParquet } from './port.ts';

// One thread beside requests, little memory, and nothing fetched: all that Parquet needs is linked in.
const settings = {
  threads: '1',
  memory_limit: '256MB',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
};

const dayOfTime = `strftime("time", '%Y-%m-%d')`;

/** Opens a writer over a database in memory. */
export async function openDuckDbParquet(): Promise<EventParquet> {
  const instance = await DuckDBInstance.create(':memory:', settings);
  const connection = await instance.connect();
  await connection.run(
    'CREATE TABLE events ("offset" BIGINT, id VARCHAR, type VARCHAR, "time" TIMESTAMP, data VARCHAR)',
  );
  const appender = await connection.createAppender('events');
  return {
    add(rows) {
      for (const row of rows) append(appender, row);
    },
    async write(directory) {
      try {
        appender.flushSync();
        return await writeFiles(connection, directory);
      } catch (error) {
        throw storeError(error, `writing Parquet to ${directory}`);
      }
    },
    close() {
      appender.closeSync();
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function append(appender: DuckDBAppender, { offset, id, type, timeMs, data }: EventRow): void {
  appender.appendBigInt(BigInt(offset));
  if (id === undefined) appender.appendNull();
  else appender.appendVarchar(id);
  appender.appendVarchar(type);
  appender.appendTimestamp(new DuckDBTimestampValue(BigInt(timeMs) * 1000n));
  appender.appendVarchar(data);
  appender.endRow();
}

async function writeFiles(connection: DuckDBConnection, directory: string): Promise<WrittenParquet[]> {
  const groups = await connection.runAndReadAll(
    `SELECT type, ${dayOfTime} AS day, count(*)::INTEGER FROM events GROUP BY ALL ORDER BY ALL`,
  );
  const written: WrittenParquet[] = [];
  for (const [type, day, rows] of groups.getRows() as [string, string, number][]) {
    const path = join(directory, `${written.length}.parquet`);
    await connection.run(
      `COPY (SELECT "offset", id, "time", data FROM events WHERE type = $type AND ${dayOfTime} = $day ORDER BY "offset")
       TO '${path.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd)`,
      { type, day },
    );
    written.push({ type, day, path, rows });
  }
  return written;
}

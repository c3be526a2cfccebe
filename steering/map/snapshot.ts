import { readFile, stat } from 'node:fs/promises';
import { toCoded, systemCode } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';

/** The last good map on disk, as it was signed. */
export interface MapSnapshot {
  read(): Promise<string | undefined>;
  /** Atomic and durable. A failure is logged: steering answers from memory all the same. */
  write(jws: string): Promise<void>;
}

const BYTES_MAX = 64 * 1024 * 1024;

export function createMapSnapshot(path: string, log: Log): MapSnapshot {
  return {
    async read() {
      try {
        const { size } = await stat(path);
        if (size <= BYTES_MAX) return await readFile(path, 'utf8');
        log.warn({ path, sizeBytes: size }, 'the stored map is too large to be one');
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') log.warn({ path, err: error }, 'the stored map cannot be read');
      }
      return undefined;
    },
    async write(jws) {
      try {
        await writePrivateFile(path, jws);
      } catch (error) {
        log.error({ path, code: toCoded(error).code, err: error }, 'the map cannot be stored');
      }
    },
  };
}

import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nameOfRouteBytes } from '../../common/core/route-table-codec.ts';
import { coded, isCoded, systemCode } from '../../common/runtime/errors.ts';
import { packRouteTable, unpackRouteTable } from '../../common/runtime/route-table-packing.ts';

/** The tables that maps name, on disk: compressed, each in a file named by the SHA-256 of what is in it. */
export interface TableStore {
  has(name: string): Promise<boolean>;
  /**
   * The bytes of a table, checked against its name; undefined where it is not held. One that does not match is deleted.
   *
   * @throws ROUTE_TABLE_MISMATCH
   */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Stores a table. @throws ROUTE_TABLE_MISMATCH where the bytes are not those of the name. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Deletes the tables that were used the longest ago, but none of `keep`, until the rest fit. */
  prune(keep: ReadonlySet<string>): Promise<void>;
}

const SUFFIX = '.zst';

/** Opens the store in a folder, made where it is not there. What all files take is kept below `bytesMax`. */
export async function openTableStore(folder: string, bytesMax: number): Promise<TableStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const pathOf = (name: string): string => join(folder, `${name}${SUFFIX}`);
  const check = (name: string, bytes: Uint8Array): void => {
    if (nameOfRouteBytes(bytes) !== name) throw coded('ROUTE_TABLE_MISMATCH', name);
  };
  return {
    async has(name) {
      return (await sizeOf(pathOf(name))) > 0;
    },
    async read(name) {
      const path = pathOf(name);
      let packed;
      try {
        packed = await readFile(path);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined;
        throw error;
      }
      try {
        const bytes = await unpackRouteTable(packed);
        check(name, bytes);
        return bytes;
      } catch (error) {
        if (!isCoded(error)) throw error;
        await rm(path, { force: true });
        throw coded('ROUTE_TABLE_MISMATCH', {
          detail: `${name} on disk was damaged and is deleted`,
          cause: error,
        });
      }
    },
    async write(name, bytes) {
      check(name, bytes);
      // Not synced: what is damaged after a crash does not match its name, and is fetched again.
      const path = pathOf(name);
      await writeFile(`${path}.tmp`, await packRouteTable(bytes), { mode: 0o600 });
      await rename(`${path}.tmp`, path);
    },
    async prune(keep) {
      const now = new Date();
      for (const name of keep) await utimes(pathOf(name), now, now).catch(() => undefined);
      const files = (await readdir(folder)).filter((file) => file.endsWith(SUFFIX));
      const held = await Promise.all(
        files.map(async (file) => {
          const { size, mtimeMs } = await stat(join(folder, file)).catch(() => ({ size: 0, mtimeMs: 0 }));
          return { name: file.slice(0, -SUFFIX.length), size, mtimeMs };
        }),
      );
      let bytes = held.reduce((sum, { size }) => sum + size, 0);
      for (const { name, size } of held.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
        if (bytes <= bytesMax) return;
        if (keep.has(name)) continue;
        await rm(pathOf(name), { force: true });
        bytes -= size;
      }
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

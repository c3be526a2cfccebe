import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { decodeRouteTable, nameOfRouteBytes } from '../../../common/core/route-table-codec.ts';
import type { NamedRouteTable } from '../../../common/core/route-table-delta.ts';
import { countRoutes } from '../../../common/core/route-table.ts';
import { makeDirectory, syncDirectory } from '../../../common/runtime/durable.ts';
import { coded, isCoded, systemCode, valueOf } from '../../../common/runtime/errors.ts';
import { packRouteTable, unpackRouteTable } from '../../../common/runtime/route-table-packing.ts';

/** No table has more routes; a box that has more tells some of them. */
export const tableRoutesMax = 2_000_000;

/** Decoded tables in memory, by their routes: two full tables and many small ones. */
const cachedRoutesMax = 3_000_000;
/** Tables that no box has any more stay for those who want the difference to their successor. */
const unusedMax = 64;

/** Route tables under their names, on disk and packed. Errors: STORE_UNAVAILABLE, DISK_FULL. */
export interface TableStore {
  /** Keeps a table; it is on disk when this resolves. */
  put(table: NamedRouteTable): Promise<void>;
  /** ROUTE_TABLE_UNKNOWN where there is none of this name; one whose file is damaged is none any more. */
  table(name: string): Promise<NamedRouteTable>;
  /** A table as it is sent; undefined where there is none of this name. */
  packed(name: string): Promise<Buffer | undefined>;
  has(name: string): boolean;
  /** Says which tables are in use; of the others the latest stay for a while. */
  retain(names: ReadonlySet<string>): Promise<void>;
}

/** Opens a directory of tables. */
export async function openTableStore(directory: string): Promise<TableStore> {
  await makeDirectory(directory);
  const names = new Set<string>();
  for (const entry of await readdir(directory)) {
    const name = /^([0-9a-f]{64})\.zst$/.exec(entry)?.[1];
    if (name !== undefined) names.add(name);
    // Left over by a process that was ended while it wrote.
    else await unlink(join(directory, entry));
  }
  return new DirectoryStore(directory, names);
}

class DirectoryStore implements TableStore {
  readonly #directory: string;
  /** In the order in which they came into use. */
  readonly #names: Set<string>;
  readonly #decoded = new LRUCache<string, NamedRouteTable>({
    maxSize: cachedRoutesMax,
    sizeCalculation: ({ table }) => 1 + countRoutes(table),
  });

  constructor(directory: string, names: Set<string>) {
    this.#directory = directory;
    this.#names = names;
  }

  async put(table: NamedRouteTable): Promise<void> {
    this.#decoded.set(table.name, table);
    if (this.#names.has(table.name)) return;
    await this.#write(table.name, await packRouteTable(table.bytes));
    this.#names.add(table.name);
  }

  async table(name: string): Promise<NamedRouteTable> {
    const cached = this.#decoded.get(name);
    if (cached !== undefined) return cached;
    const table = await this.#read(name);
    if (table !== undefined) {
      this.#decoded.set(name, table);
      return table;
    }
    await this.#remove(name);
    throw coded('ROUTE_TABLE_UNKNOWN', name);
  }

  async packed(name: string): Promise<Buffer | undefined> {
    if (!this.#names.has(name)) return undefined;
    try {
      return await readFile(this.#pathOf(name));
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return undefined;
      throw coded('STORE_UNAVAILABLE', { detail: `the route table ${name} cannot be read`, cause });
    }
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  async retain(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      // What is in use is behind what is not, so that the oldest unused one comes first.
      if (this.#names.delete(name)) this.#names.add(name);
    }
    const unused = [...this.#names].filter((name) => !names.has(name));
    for (const name of unused.slice(0, Math.max(0, unused.length - unusedMax))) {
      await this.#remove(name);
    }
  }

  /** Undefined where it is not there, or not what its name says. */
  async #read(name: string): Promise<NamedRouteTable | undefined> {
    const packed = await this.packed(name);
    if (packed === undefined) return undefined;
    try {
      const bytes = await unpackRouteTable(packed);
      const table = valueOf(decodeRouteTable(bytes, { routesMax: tableRoutesMax }));
      return nameOfRouteBytes(bytes) === name ? { name, bytes, table } : undefined;
    } catch (error) {
      if (isCoded(error, 'ROUTE_TABLE_INVALID')) return undefined;
      throw error;
    }
  }

  async #remove(name: string): Promise<void> {
    this.#names.delete(name);
    this.#decoded.delete(name);
    await unlink(this.#pathOf(name)).catch(() => undefined);
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${name}.zst`);
  }

  async #write(name: string, packed: Buffer): Promise<void> {
    const temporary = join(this.#directory, `${randomUUID()}.tmp`);
    try {
      const file = await open(temporary, 'wx', 0o640);
      try {
        await file.writeFile(packed);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#pathOf(name));
      await syncDirectory(this.#directory);
    } catch (cause) {
      await unlink(temporary).catch(() => undefined);
      const isFull = systemCode(cause) === 'ENOSPC' || systemCode(cause) === 'EDQUOT';
      throw coded(isFull ? 'DISK_FULL' : 'STORE_UNAVAILABLE', {
        detail: 'a route table cannot be written',
        cause,
      });
    }
  }
}

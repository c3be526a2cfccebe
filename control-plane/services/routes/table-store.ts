import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory } from '../../../common/runtime/durable.ts';
import { coded, systemCode } from '../../../common/runtime/errors.ts';

/** Tables that no box has any more stay for those who want the difference to their successor. */
const unusedMax = 64;

/** Route tables under their names, on disk and packed. Errors: STORE_UNAVAILABLE, DISK_FULL. */
export interface TableStore {
  /** Keeps a packed table, where it is not kept yet; it is on disk when this resolves. */
  put(name: string, packed: Uint8Array): Promise<void>;
  /** A table as it is sent; undefined where there is none of this name. */
  packed(name: string): Promise<Buffer | undefined>;
  has(name: string): boolean;
  /** Forgets a table, where it has it: its file is damaged or gone. */
  forget(name: string): Promise<void>;
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

  constructor(directory: string, names: Set<string>) {
    this.#directory = directory;
    this.#names = names;
  }

  async put(name: string, packed: Uint8Array): Promise<void> {
    if (this.#names.has(name)) return;
    await this.#write(name, packed);
    this.#names.add(name);
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

  async forget(name: string): Promise<void> {
    if (this.#names.has(name)) await this.#remove(name);
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

  async #remove(name: string): Promise<void> {
    this.#names.delete(name);
    await unlink(this.#pathOf(name)).catch(() => undefined);
  }

  #pathOf(name: string): string {
    return join(this.#directory, `${name}.zst`);
  }

  async #write(name: string, packed: Uint8Array): Promise<void> {
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

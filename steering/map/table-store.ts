import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nameOfRouteBytes } from '../../common/core/route-table-codec.ts';
import { coded, isCoded, systemCode } from '../../common/runtime/errors.ts';
import {
  packDifference,
  packRouteTable,
  unpackDifference,
  unpackRouteTable,
} from '../../common/runtime/route-table-packing.ts';

/**
 * The tables that maps name, on disk: compressed, each in a file named by the SHA-256 of what is in it; of those that are past
 * only how they differ from the one that came after.
 */
export interface TableStore {
  /** Whether it is held whole, for a map in force. */
  has(name: string): Promise<boolean>;
  /**
   * The bytes of a table, checked against its name; undefined where it is not held. One that does not match is deleted.
   *
   * @throws ROUTE_TABLE_MISMATCH
   */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Stores a table. @throws ROUTE_TABLE_MISMATCH where the bytes are not those of the name. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Keeps of a table that is past only how it differs from the one that came for it, where that is less. */
  supersede(name: string, next: string): Promise<void>;
  /** Deletes the tables that were used the longest ago, but none of `keep`, until the rest fit. */
  prune(keep: ReadonlySet<string>): Promise<void>;
}

/** A file of the folder. */
interface Held {
  /** Undefined until it is asked for. */
  sizeBytes?: number;
  usedMs: number;
}

interface Difference extends Held {
  /** The table that it differs from. */
  readonly base: string;
}

/** To read what differs from another that differs again, so many are read at most. */
const chainMax = 32;
/** Most files, however small. */
const filesMax = 100_000;
/** What disks give a file, however small, is a multiple of this. */
const blockBytes = 4096;
/** So many files are looked at together. */
const looksMax = 64;
const pattern = /^([0-9a-f]{64})(?:\.([0-9a-f]{64}))?\.zst$/;
const wholeFile = (name: string): string => `${name}.zst`;
const differenceFile = (name: string, base: string): string => `${name}.${base}.zst`;

/** Opens the store in a folder, made where it is not there. What all files take is kept below `bytesMax`. */
export async function openTableStore(folder: string, bytesMax: number): Promise<TableStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new FolderTables(folder, { bytesMax, files: await readdir(folder) });
}

class FolderTables implements TableStore {
  readonly #folder: string;
  readonly #bytesMax: number;
  readonly #wholes = new Map<string, Held>();
  readonly #differences = new Map<string, Difference>();
  /** How many differences must be read at most for one that hangs on this table. */
  readonly #hanging = new Map<string, number>();

  constructor(folder: string, { bytesMax, files }: { bytesMax: number; files: readonly string[] }) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
    for (const file of files) {
      const [, name, base] = pattern.exec(file) ?? [];
      if (name === undefined) continue;
      if (base === undefined) this.#wholes.set(name, { usedMs: 0 });
      else this.#differences.set(name, { base, usedMs: 0 });
    }
    for (const name of this.#differences.keys()) this.#hang(name);
  }

  async has(name: string): Promise<boolean> {
    const found = await stat(this.#path(wholeFile(name))).catch(() => undefined);
    return found !== undefined && found.size > 0;
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return this.#read(name, chainMax);
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    check(name, bytes);
    this.#wholes.set(name, await this.#put(wholeFile(name), await packRouteTable(bytes)));
    await this.#forgetDifference(name);
  }

  async supersede(name: string, next: string): Promise<void> {
    if ((this.#hanging.get(name) ?? 0) >= chainMax) return;
    const whole = this.#wholes.has(name)
      ? await stat(this.#path(wholeFile(name))).catch(() => undefined)
      : undefined;
    if (whole === undefined) return;
    const [bytes, base] = [await this.read(name), await this.read(next)];
    if (bytes === undefined || base === undefined) return;
    const difference = await packDifference(bytes, base);
    if (difference.length >= whole.size / 2) return;
    await this.#forgetDifference(name);
    this.#differences.set(name, { base: next, ...(await this.#put(differenceFile(name, next), difference)) });
    this.#hang(name);
    await this.#forgetWhole(name);
  }

  async prune(keep: ReadonlySet<string>): Promise<void> {
    await this.#measure();
    const now = new Date();
    for (const name of keep) {
      const held = this.#wholes.get(name);
      if (held === undefined) continue;
      held.usedMs = now.getTime();
      await utimes(this.#path(wholeFile(name)), now, now).catch(() => undefined);
    }
    const all = [...this.#differences.values(), ...this.#wholes.values()];
    let files = all.length;
    let bytes = all.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
    if (bytes <= this.#bytesMax && files <= filesMax) return;
    const past = [...this.#wholes].filter(([name]) => !keep.has(name));
    const oldest = [...this.#differences, ...past].sort(([, a], [, b]) => a.usedMs - b.usedMs);
    for (const [name, held] of oldest) {
      if (bytes <= this.#bytesMax && files <= filesMax) return;
      await ('base' in held ? this.#forgetDifference(name) : this.#forgetWhole(name));
      bytes -= held.sizeBytes ?? 0;
      files--;
    }
  }

  async #read(name: string, chainLeft: number): Promise<Uint8Array | undefined> {
    const whole = await readIfThere(this.#path(wholeFile(name)));
    if (whole !== undefined)
      return opened(name, () => unpackRouteTable(whole), () => this.#forgetWhole(name)); // prettier-ignore
    const base = this.#differences.get(name)?.base;
    if (base === undefined || chainLeft === 0) return undefined;
    const difference = await readIfThere(this.#path(differenceFile(name, base)));
    const from = difference === undefined ? undefined : await this.#read(base, chainLeft - 1);
    if (difference === undefined || from === undefined) return undefined;
    return opened(name, () => unpackDifference(difference, from), () => this.#forgetDifference(name)); // prettier-ignore
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }

  async #put(file: string, packed: Buffer): Promise<Held> {
    // Not synced: what is damaged after a crash does not match its name, and is fetched again.
    const path = this.#path(file);
    await writeFile(`${path}.tmp`, packed, { mode: 0o600 });
    await rename(`${path}.tmp`, path);
    return { sizeBytes: onDisk(packed.length), usedMs: Date.now() };
  }

  async #forgetWhole(name: string): Promise<void> {
    await rm(this.#path(wholeFile(name)), { force: true });
    this.#wholes.delete(name);
    if (!this.#differences.has(name)) this.#hanging.delete(name);
  }

  async #forgetDifference(name: string): Promise<void> {
    const held = this.#differences.get(name);
    if (held === undefined) return;
    await rm(this.#path(differenceFile(name, held.base)), { force: true });
    this.#differences.delete(name);
    if (!this.#wholes.has(name)) this.#hanging.delete(name);
  }

  /** Looks at the files that were there when it was opened. */
  async #measure(): Promise<void> {
    const all: [string, Held][] = [
      ...[...this.#wholes].map(([name, held]): [string, Held] => [wholeFile(name), held]),
      ...[...this.#differences].map(([name, held]): [string, Held] => [
        differenceFile(name, held.base),
        held,
      ]),
    ];
    const unknown = all.filter(([, { sizeBytes }]) => sizeBytes === undefined).values();
    const look = async (): Promise<void> => {
      for (const [file, held] of unknown) {
        const found = await stat(this.#path(file)).catch(() => undefined);
        held.sizeBytes = onDisk(found?.size ?? 0);
        held.usedMs = found?.mtimeMs ?? 0;
      }
    };
    await Promise.all(Array.from({ length: looksMax }, look));
  }

  /** Counts a difference at all that it is read through. */
  #hang(name: string): void {
    let below = this.#hanging.get(name) ?? 0;
    const baseOf = (of: string): string | undefined => this.#differences.get(of)?.base;
    for (let base = baseOf(name); base !== undefined && below < chainMax; base = baseOf(base)) {
      below++;
      if ((this.#hanging.get(base) ?? 0) >= below) return;
      this.#hanging.set(base, below);
    }
  }
}

/** What was unpacked, if it is what its name says; else it is forgotten. @throws ROUTE_TABLE_MISMATCH */
async function opened(
  name: string,
  unpack: () => Promise<Uint8Array>,
  forget: () => Promise<void>,
): Promise<Uint8Array> {
  try {
    const bytes = await unpack();
    check(name, bytes);
    return bytes;
  } catch (error) {
    if (!isCoded(error)) throw error;
    await forget();
    throw coded('ROUTE_TABLE_MISMATCH', {
      detail: `${name} on disk was damaged and is deleted`,
      cause: error,
    });
  }
}

function onDisk(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}

function check(name: string, bytes: Uint8Array): void {
  if (nameOfRouteBytes(bytes) !== name) throw coded('ROUTE_TABLE_MISMATCH', name);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

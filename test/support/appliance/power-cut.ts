import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { assert } from '../../../common/runtime/errors.ts';
import { temporaryDirectory } from './serving-box.ts';

const run = promisify(execFile);
const source = new URL('./power-cut.c', import.meta.url).pathname;
const headBytes = 32;
/** A write is torn between such blocks. */
const blockBytes = 4096;

/** How much of what was not synced is there afterwards: nothing, all of it, or whatever chance leaves. */
export type Kept = 'none' | 'some' | 'all';

/** A directory whose disk forgets what was not synced when its power is cut. */
export interface CuttablePower {
  /** What processes are to be started by. */
  readonly by: readonly string[];
  /** Begins to write down what changes; the directory as it is now is what is durable. */
  begin(): Promise<void>;
  /**
   * Makes the directory what it may be after a power cut, all processes having ended. Of a directory that was not synced the
   * first changes may be there, in their order; of a file that was not synced any blocks, and any of its lengths.
   */
  cut(random: () => number, kept: Kept): Promise<void>;
}

/** Compiles the layer; a sentence that says why not where there is no compiler. */
export async function cuttablePower(
  t: { teardown(done: () => Promise<void>): void },
  root: string,
): Promise<CuttablePower | string> {
  const directory = await temporaryDirectory(t);
  const library = join(directory, 'power-cut.so');
  const log = join(directory, 'changes');
  try {
    await run('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  } catch (error) {
    return `power cuts take a C compiler to make: ${error instanceof Error ? error.message : ''}`;
  }
  let before: Folder | undefined;
  return {
    by: ['env', `LD_PRELOAD=${library}`, `POWER_LOG=${log}`, `POWER_ROOT=${root}`],
    async begin() {
      before = await readFolder(root);
      await writeFile(log, '');
    },
    async cut(random, kept) {
      assert(before !== undefined, 'changes are written down before the power is cut');
      const disk = new ChangedDisk(root, before);
      for (const change of changesOf(await readFile(log))) disk.take(change);
      disk.cut(random, kept);
      for (const name of await readdir(root)) await rm(join(root, name), { recursive: true });
      await writeFolder(root, before);
    },
  };
}

interface File {
  readonly kind: 'file';
  readonly mode: number;
  durable: Buffer;
  /** What was not synced, in its order. */
  changes: FileChange[];
}

interface FileChange {
  readonly number: number;
  readonly sizeBytes: number | undefined;
  readonly at: number;
  readonly bytes: Buffer;
}

interface Folder {
  readonly kind: 'folder';
  readonly mode: number;
  /** What is there now, and what would be there after a power cut. */
  readonly entries: Map<string, Entry>;
  readonly durable: Map<string, Entry>;
}

type Entry = File | Folder;

/** Names that come and go together: a rename is one change of two folders. */
interface FolderChange {
  readonly number: number;
  readonly edits: readonly { folder: Folder; name: string; entry: Entry | undefined }[];
}

interface Change {
  readonly op: string;
  readonly at: bigint;
  readonly path: string;
  readonly other: string;
  readonly bytes: Buffer;
}

/** A disk, change by change: what is there, and what of it is durable. */
class ChangedDisk {
  readonly #root: string;
  readonly #top: Folder;
  #changes: FolderChange[] = [];
  #number = 0;
  readonly #syncs = new Map<bigint, { entry: Entry; number: number }>();

  constructor(root: string, top: Folder) {
    this.#root = root;
    this.#top = top;
  }

  take({ op, at, path, other, bytes }: Change): void {
    const number = ++this.#number;
    switch (op) {
      case 'c':
        return this.#edit(number, [path, newFile(Number(at), Buffer.alloc(0))]);
      case 'm':
        return this.#edit(number, [path, newFolder(Number(at))]);
      case 'u':
        return this.#edit(number, [path, undefined]);
      case 'l':
        return this.#edit(number, [other, this.#find(path)]);
      case 'r':
        return this.#edit(number, [path, undefined], [other, this.#find(path)]);
      case 't':
        return this.#change(path, { number, sizeBytes: Number(at), at: 0, bytes: Buffer.alloc(0) });
      case 'w':
        return this.#change(path, { number, sizeBytes: undefined, at: Number(at), bytes });
      case 'b': {
        const entry = this.#find(path);
        if (entry !== undefined) this.#syncs.set(at, { entry, number });
        return;
      }
      default:
        assert(op === 's', `an operation ${op} is known`);
        this.#synced(at);
    }
  }

  /** Leaves of what is not durable what is to be kept, and makes that durable. */
  cut(random: () => number, kept: Kept): void {
    const count = { none: 0, some: random() * (this.#changes.length + 1), all: this.#changes.length }[kept];
    for (const change of this.#changes.slice(0, Math.floor(count))) apply(change);
    this.#changes = [];
    settle(this.#top, random, kept);
  }

  #synced(id: bigint): void {
    const begun = this.#syncs.get(id);
    if (begun === undefined) return;
    this.#syncs.delete(id);
    const { entry, number } = begun;
    if (entry.kind === 'file') {
      const done = entry.changes.filter((change) => change.number < number);
      entry.changes = entry.changes.filter((change) => change.number >= number);
      entry.durable = done.reduce((content, change) => changed(content, change), entry.durable);
      return;
    }
    // With a change of this folder comes what had to be before it in the other folder that it is of.
    const folders = new Set([entry]);
    const durable = new Set<FolderChange>();
    for (const change of this.#changes.toReversed()) {
      if (change.number >= number || !change.edits.some(({ folder }) => folders.has(folder))) continue;
      durable.add(change);
      for (const { folder } of change.edits) folders.add(folder);
    }
    for (const change of this.#changes) if (durable.has(change)) apply(change);
    this.#changes = this.#changes.filter((change) => !durable.has(change));
  }

  #edit(number: number, ...named: readonly (readonly [path: string, entry: Entry | undefined])[]): void {
    const edits = named.map(([path, entry]) => {
      const folder = this.#find(dirname(path));
      assert(folder?.kind === 'folder', `${path} is in a folder`);
      const name = path.slice(dirname(path).length + 1);
      if (entry === undefined) folder.entries.delete(name);
      else folder.entries.set(name, entry);
      return { folder, name, entry };
    });
    this.#changes.push({ number, edits });
  }

  #change(path: string, change: FileChange): void {
    const file = this.#find(path);
    // Deleted meanwhile by somebody else: nobody will read it.
    if (file?.kind === 'file') file.changes.push(change);
  }

  #find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#top;
    for (const name of path.slice(this.#root.length).split('/').filter(Boolean))
      entry = entry?.kind === 'folder' ? entry.entries.get(name) : undefined;
    return entry;
  }
}

function newFile(mode: number, durable: Buffer): File {
  return { kind: 'file', mode, durable, changes: [] };
}

function newFolder(mode: number): Folder {
  return { kind: 'folder', mode, entries: new Map(), durable: new Map() };
}

function apply({ edits }: FolderChange): void {
  for (const { folder, name, entry } of edits) {
    if (entry === undefined) folder.durable.delete(name);
    else folder.durable.set(name, entry);
  }
}

function changed(content: Buffer, { sizeBytes, at, bytes }: FileChange): Buffer {
  return written(resized(content, sizeBytes ?? Math.max(content.length, at + bytes.length)), at, bytes);
}

function resized(content: Buffer, sizeBytes: number): Buffer {
  const made = Buffer.alloc(sizeBytes);
  content.copy(made);
  return made;
}

/** What lies beyond the end is not written. */
function written(content: Buffer, at: number, bytes: Buffer): Buffer {
  bytes.copy(content, at);
  return content;
}

/** Makes of every file that is left what the cut left of it. */
function settle(folder: Folder, random: () => number, kept: Kept): void {
  folder.entries.clear();
  for (const [name, entry] of folder.durable) {
    folder.entries.set(name, entry);
    if (entry.kind === 'folder') settle(entry, random, kept);
    else {
      entry.durable = contentAfter(entry, random, kept);
      entry.changes = [];
    }
  }
}

function contentAfter({ durable, changes }: File, random: () => number, kept: Kept): Buffer {
  if (kept === 'none' || changes.length === 0) return durable;
  if (kept === 'all') return changes.reduce((content, change) => changed(content, change), durable);
  // Its length is one that it has had; its blocks are there or not, each by itself.
  const lengths = [durable.length];
  for (const { sizeBytes, at, bytes } of changes)
    lengths.push(sizeBytes ?? Math.max(lengths.at(-1) ?? 0, at + bytes.length));
  const content = resized(durable, lengths[Math.floor(random() * lengths.length)] ?? durable.length);
  for (const { at, bytes } of changes) {
    for (let from = 0; from < bytes.length; from += blockBytes - ((at + from) % blockBytes)) {
      const to = Math.min(bytes.length, from + blockBytes - ((at + from) % blockBytes));
      if (random() < 0.5 && at + from < content.length) written(content, at + from, bytes.subarray(from, to));
    }
  }
  return content;
}

/** The records of the layer; the last one may be cut short. */
function* changesOf(log: Buffer): Generator<Change> {
  for (let from = 0; from + headBytes <= log.length;) {
    const [pathBytes, otherBytes] = [log.readUInt32LE(from + 4), log.readUInt32LE(from + 8)];
    const dataBytes = Number(log.readBigUInt64LE(from + 24));
    const pathAt = from + headBytes;
    const dataAt = pathAt + pathBytes + otherBytes;
    if (dataAt + dataBytes > log.length) return;
    yield {
      op: String.fromCharCode(log.readUInt32LE(from)),
      at: log.readBigUInt64LE(from + 16),
      path: log.toString('utf8', pathAt, pathAt + pathBytes),
      other: log.toString('utf8', pathAt + pathBytes, dataAt),
      bytes: log.subarray(dataAt, dataAt + dataBytes),
    };
    from = dataAt + dataBytes;
  }
}

/** All that is there, hard links as the several files that they are to whoever reads them. */
async function readFolder(path: string): Promise<Folder> {
  const folder = newFolder((await stat(path)).mode & 0o777);
  for (const found of await readdir(path, { withFileTypes: true })) {
    const at = join(path, found.name);
    const { mode } = await stat(at);
    const entry = found.isDirectory() ? await readFolder(at) : newFile(mode & 0o777, await readFile(at));
    folder.entries.set(found.name, entry);
    folder.durable.set(found.name, entry);
  }
  return folder;
}

async function writeFolder(path: string, folder: Folder): Promise<void> {
  for (const [name, entry] of folder.durable) {
    const at = join(path, name);
    if (entry.kind === 'folder') {
      await mkdir(at, { mode: entry.mode });
      await writeFolder(at, entry);
    } else await writeFile(at, entry.durable, { mode: entry.mode });
  }
}

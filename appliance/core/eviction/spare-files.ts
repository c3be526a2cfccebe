import { createPolicy, type EvictionPolicy, type PolicyName } from './policy.ts';

/** A file that may go when its room is needed. */
export interface SpareFile {
  readonly file: string;
  readonly disk: number;
  readonly sizeBytes: number;
  /** What it takes of its disk. */
  readonly costBytes: number;
}

/** How often a file was asked for. */
export interface AskedFile {
  readonly file: string;
  readonly asked: number;
}

interface Entry extends SpareFile {
  asked: number;
  /** Bytes that have left since it last counted as asked for, and when the last of them did. */
  sentBytes: number;
  sentAtMs: number;
}

/** Bytes after so long a pause are another viewing. */
const pauseMs = 60_000;
/** No policy tells more requests than these apart. */
const askedMax = 16;

/**
 * The files of a box that may go, and which of them goes first: each disk is a cache of its own with a policy of its own, since a
 * file lies whole on one disk.
 *
 * A file counts as asked for when viewers begin to read it, and again each time as many bytes have left as it has: players read files
 * in hundreds of ranges, which say nothing of how much it is wanted.
 */
export class SpareFiles {
  readonly #policy: PolicyName;
  readonly #disks = new Map<number, EvictionPolicy>();
  /** Longest not asked for first. */
  readonly #entries = new Map<string, Entry>();

  constructor(policy: PolicyName) {
    this.#policy = policy;
  }

  /**
   * Adds a file as the newest, `asked` for so often before; one that is there already stays what it is, but where it has moved to
   * another disk. The viewing that brought it here counts no more until there is a pause.
   */
  put(spare: SpareFile, { asked, nowMs }: { asked: number; nowMs: number }): void {
    const { file, disk, sizeBytes, costBytes } = spare;
    if (this.#entries.get(file)?.disk === disk) return;
    this.remove(file);
    const entry = { file, disk, sizeBytes, costBytes, asked: 0, sentBytes: 0, sentAtMs: nowMs };
    this.#entries.set(file, entry);
    this.#on(disk).hold({ id: file, sizeBytes: costBytes });
    for (let times = Math.min(asked, askedMax); times > 0; times--) this.#ask(entry);
  }

  /** It is gone, or may go no longer. */
  remove(file: string): void {
    const entry = this.#entries.get(file);
    if (entry === undefined) return;
    this.#entries.delete(file);
    this.#on(entry.disk).remove(file);
  }

  /** Bytes of a file have left to viewers. */
  sent(file: string, bytes: number, nowMs: number): void {
    const entry = this.#entries.get(file);
    if (entry === undefined) return;
    const isNew = nowMs - entry.sentAtMs >= pauseMs;
    entry.sentAtMs = nowMs;
    entry.sentBytes += bytes;
    if (!isNew && entry.sentBytes < entry.sizeBytes) return;
    entry.sentBytes = isNew ? bytes : entry.sentBytes - entry.sizeBytes;
    this.#entries.delete(file);
    this.#entries.set(file, entry);
    this.#ask(entry);
  }

  /** Takes out the file of a disk that is to go first; undefined where none may. */
  evict(disk: number, mayGo: (file: string) => boolean): string | undefined {
    const victim = this.#on(disk).evict((id) => mayGo(String(id)));
    if (victim === undefined) return undefined;
    this.#entries.delete(String(victim));
    return String(victim);
  }

  /** What the files of each disk that may go take of it. */
  bytesByDisk(mayGo: (file: string) => boolean): Map<number, number> {
    const bytes = new Map<number, number>();
    for (const { file, disk, costBytes } of this.#entries.values())
      if (mayGo(file)) bytes.set(disk, (bytes.get(disk) ?? 0) + costBytes);
    return bytes;
  }

  /** Says how many bytes of each disk such files may have. Of a disk that is gone with its files nothing is kept. */
  resize(capacities: ReadonlyMap<number, number>): void {
    for (const [disk, { length }] of this.#disks)
      if (length === 0 && !capacities.has(disk)) this.#disks.delete(disk);
    for (const [disk, bytes] of capacities) this.#on(disk).resize(Math.max(1, Math.floor(bytes)));
  }

  /** All of them, longest not asked for first. */
  *inOrder(): Generator<AskedFile> {
    for (const { file, asked } of this.#entries.values()) yield { file, asked };
  }

  #ask(entry: Entry): void {
    entry.asked = Math.min(askedMax, entry.asked + 1);
    this.#on(entry.disk).touch({ id: entry.file });
  }

  #on(disk: number): EvictionPolicy {
    const known = this.#disks.get(disk);
    if (known !== undefined) return known;
    const policy = createPolicy(this.#policy, Number.MAX_SAFE_INTEGER);
    this.#disks.set(disk, policy);
    return policy;
  }
}

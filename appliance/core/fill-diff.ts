import { chooseDisk } from './choose-disk.ts';

/** A file that the manifest wants here. */
export interface WantedFile {
  readonly file: string;
  readonly ext: string;
  readonly sizeBytes: number;
  /** It does not wait for the fill window. */
  readonly urgent?: true | undefined;
  /** The disk on which the plan has made room for it. */
  readonly disk?: number;
}

/** A file that is held here. */
export interface HeldFile {
  readonly sizeBytes: number;
  readonly disk: number;
  /** Someone reads it now: it must not be deleted. */
  readonly inUse: boolean;
}

/** A disk that takes files. */
export interface DiskCapacity {
  readonly disk: number;
  /** How many bytes files may take of it in all. */
  readonly capacityBytes: number;
  /** How fast it has written lately; undefined while that is not known. */
  readonly bytesPerSecond: number | undefined;
}

/** What is to be done so that what is held becomes what is wanted. */
export interface FillDiff {
  /** In the order of the manifest. */
  readonly fetch: readonly WantedFile[];
  /** Held on a disk that takes no files any more, and wanted by no manifest. */
  readonly remove: readonly string[];
  /** How many bytes of what no manifest names are in the way, by disk; which files those are, an eviction policy says when the time comes. */
  readonly evictBytes: ReadonlyMap<number, number>;
  /** Wanted, held on a disk that takes no files any more, and where there is room for them. */
  readonly move: readonly { readonly file: string; readonly disk: number }[];
  /** Wanted, but there is no room even when everything that may go is gone. */
  readonly left: readonly WantedFile[];
}

/** Bytes that a file takes besides its content: its chunk list, in blocks. */
export type CostBytes = (sizeBytes: number) => number;

export interface FillDiffInput {
  wanted: readonly WantedFile[];
  held: ReadonlyMap<string, HeldFile>;
  /** The disks that take files. What is held on any other disk is to leave it. */
  disks: readonly DiskCapacity[];
  /** The disk that a download under way is on. */
  begunOn: (file: string) => number | undefined;
  costBytes: CostBytes;
}

/**
 * Compares a manifest with the holdings. What no manifest names stays as long as there is room for what is wanted:
 * it costs nothing and may still be asked for. Files are taken in the manifest's order; one that does not fit on any
 * disk is left out and smaller ones behind it still get their chance.
 */
export function planFill(input: FillDiffInput): FillDiff {
  const { held, costBytes } = input;
  const wanted = new Map(input.wanted.map((item) => [item.file, item]));
  const ledger = new Ledger(input, wanted);
  const fetch: WantedFile[] = [];
  const move: { file: string; disk: number }[] = [];
  const left: WantedFile[] = [];
  for (const item of wanted.values()) {
    const isHeld = held.has(item.file);
    if (isHeld && ledger.takes(held.get(item.file)?.disk)) continue;
    const disk = ledger.take(costBytes(item.sizeBytes), input.begunOn(item.file));
    if (disk === undefined) {
      // One that must move stays where it is for as long as it can.
      if (!isHeld) left.push(item);
    } else if (isHeld) move.push({ file: item.file, disk });
    else fetch.push({ ...item, disk });
  }
  return { fetch, move, remove: ledger.removed, evictBytes: ledger.evictBytes(), left };
}

interface Account {
  readonly disk: number;
  readonly bytesPerSecond: number | undefined;
  freeBytes: number;
  /** What may go besides. */
  spareBytes: number;
  evictBytes: number;
}

/** What is free on each disk while a plan is made, and what may go from it. */
class Ledger {
  readonly removed: string[] = [];
  readonly #accounts: ReadonlyMap<number, Account>;

  constructor({ held, disks, costBytes }: FillDiffInput, wanted: ReadonlyMap<string, WantedFile>) {
    this.#accounts = new Map(
      disks.map(({ disk, capacityBytes, bytesPerSecond }) => [
        disk,
        { disk, bytesPerSecond, freeBytes: capacityBytes, spareBytes: 0, evictBytes: 0 },
      ]),
    );
    for (const [file, { sizeBytes, disk, inUse }] of held) {
      const isSpare = !wanted.has(file) && !inUse;
      const account = this.#accounts.get(disk);
      if (account === undefined) {
        if (isSpare) this.removed.push(file);
        continue;
      }
      const cost = costBytes(sizeBytes);
      account.freeBytes -= cost;
      if (isSpare) account.spareBytes += cost;
    }
  }

  /** Whether new files may go to the disk. */
  takes(disk: number | undefined): boolean {
    return disk !== undefined && this.#accounts.has(disk);
  }

  /** Takes room on the disk that has begun already, on any where it is free, or else where there is the most with what may go. */
  take(needBytes: number, begunOn: number | undefined): number | undefined {
    const accounts = [...this.#accounts.values()];
    const chosen =
      (this.takes(begunOn) ? begunOn : undefined) ??
      chooseDisk(accounts, needBytes) ??
      chooseDisk(accounts.map(withSpare), needBytes);
    const account = chosen === undefined ? undefined : this.#accounts.get(chosen);
    if (account === undefined || needBytes > account.freeBytes + account.spareBytes) return undefined;
    account.freeBytes -= needBytes;
    if (account.freeBytes < 0) {
      account.evictBytes -= account.freeBytes;
      account.spareBytes += account.freeBytes;
      account.freeBytes = 0;
    }
    return account.disk;
  }

  evictBytes(): Map<number, number> {
    const inTheWay = [...this.#accounts.values()].filter(({ evictBytes }) => evictBytes > 0);
    return new Map(inTheWay.map(({ disk, evictBytes }) => [disk, evictBytes]));
  }
}

function withSpare(account: Account): Account {
  return { ...account, freeBytes: account.freeBytes + account.spareBytes };
}

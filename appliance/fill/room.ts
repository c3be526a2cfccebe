import { setImmediate as nextTurn } from 'node:timers/promises';

import { Limiter } from '../../common/core/limiter.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { chooseDisk, type DiskRoom } from '../core/choose-disk.ts';
import type { PolicyName } from '../core/eviction/policy.ts';
import { SpareFiles, type AskedFile } from '../core/eviction/spare-files.ts';
import type { FillDiff, WantedFile } from '../core/fill-diff.ts';
import type { FileStore } from '../store/file-store.ts';
import { KeptOrder } from './kept-order.ts';
import { PlannedFiles } from './planned-files.ts';

export interface RoomOptions {
  store: FileStore;
  /** Says which of the files that may go goes first. */
  policy: PolicyName;
  /** Where the order of what may go is kept, for the next process. */
  path: string;
  clock: Clock;
  log: Log;
}

/** A download that no manifest wants: it may go when nobody works on it. */
export interface SpareDownload {
  readonly file: string;
  readonly sizeBytes: number;
  mayGo(): boolean;
  /** Gives it up with its bytes. */
  drop(): Promise<void>;
}

/** Room that a pulled file needs. */
export interface PulledWant {
  readonly costBytes: number;
  /** Whether others may go for it. */
  readonly mayEvict: boolean;
}

interface Disk extends DiskRoom {
  /** What no held file takes of it; downloads may. */
  readonly unheldBytes: number;
  /** What may go from it. */
  readonly spareBytes: number;
}

const saveEveryMs = 60_000;
/** Files that are sorted in at a time: some milliseconds, between which everything else goes on. */
const sortedAtOnce = 2000;

/**
 * Makes room on the disks. What the manifest names stays, and so does what is read; of all else the policy says what goes first,
 * and no more goes than is needed, at the moment when it is.
 */
export class Room {
  readonly #options: RoomOptions;
  readonly #planned: PlannedFiles;
  readonly #spare: SpareFiles;
  readonly #kept: KeptOrder;
  readonly #downloads = new Map<string, SpareDownload>();
  /** Files that have come, gone or changed sides since they were last sorted in, which is done together: at the start that is all of them. */
  readonly #unsorted = new Set<string>();
  /** Those that are being sorted in, in their order. */
  #sorting: Iterator<AskedFile> = [].values();
  /** Bytes that have left meanwhile, by file. */
  readonly #sent = new Map<string, number>();
  #isCatchingUp = false;
  /** One at a time: room that is found is taken before another one looks. */
  readonly #turns = new Limiter({ runsMax: 1 });
  /** What is to be moved to another disk and is not there yet. */
  #moves: FillDiff['move'] = [];

  constructor(options: RoomOptions) {
    const { store, policy } = options;
    this.#options = options;
    this.#planned = new PlannedFiles(store);
    this.#spare = new SpareFiles(policy);
    this.#kept = new KeptOrder(options);
    for (const file of store.held.keys()) this.#unsorted.add(file);
    store.onChange(({ file }) => {
      if (store.held.has(file)) this.#downloads.delete(file);
      this.#unsorted.add(file);
    });
  }

  /** Whether the manifest wants a file. */
  wants(file: string): boolean {
    return this.#planned.wants(file);
  }

  /** Takes the files of a manifest. */
  setPlanned(files: readonly WantedFile[]): void {
    const { store } = this.#options;
    for (const file of this.#planned.set(files))
      if (store.held.has(file) || this.#downloads.has(file)) this.#unsorted.add(file);
  }

  /** Bytes of a file have left to viewers. */
  noteSent(file: string, bytes: number): void {
    const bytesBefore = this.#sent.get(file) ?? 0;
    this.#sent.delete(file);
    this.#sent.set(file, bytesBefore + bytes);
    if (this.#sortSome()) this.#tellSent();
    else if (!this.#isCatchingUp) void this.#catchUp();
  }

  /** A download may go besides what is held, until it is taken back or held. */
  lend(download: SpareDownload): void {
    this.#downloads.set(download.file, download);
    this.#unsorted.add(download.file);
  }

  takeBack(file: string): void {
    this.#downloads.delete(file);
    this.#unsorted.add(file);
  }

  /**
   * Makes room for a file that the manifest wants, on its disk or where there is the most, and begins it there. Errors are those of
   * `begin`, which is where it turns out that there cannot be enough.
   */
  forPlanned<T>(
    want: { disk: number | undefined; costBytes: number },
    begin: (disk: number | undefined) => Promise<T>,
  ): Promise<T> {
    return this.#turns.run(async () => {
      const disk = want.disk ?? roomiest(await this.#disks(this.#mayGo), want.costBytes);
      if (disk !== undefined) await this.#makeFree(disk, want.costBytes);
      return begin(disk);
    });
  }

  /** Makes room for what is to be moved to other disks, and keeps it for that. */
  forMoves(moves: FillDiff['move']): Promise<void> {
    return this.#turns.run(async () => {
      this.#moves = moves;
      for (const disk of new Set(moves.map((move) => move.disk))) await this.#makeFree(disk, 0);
    });
  }

  /** Makes room for a file that viewers want and begins it there; undefined where there is none beside what the manifest still wants. */
  forPulled<T>(want: PulledWant, begin: (disk: number) => Promise<T>): Promise<T | undefined> {
    return this.#turns.run(async () => {
      const disk = await this.#diskFor(want);
      if (disk === undefined) return undefined;
      await this.#makeFree(disk, want.costBytes);
      await this.#makeUnclaimed(disk, want.costBytes);
      return begin(disk);
    });
  }

  /** Whether there is room for a pulled file, or could be. */
  async takes(want: PulledWant): Promise<boolean> {
    return (await this.#diskFor(want)) !== undefined;
  }

  /** Whether what the manifest still wants would not fit beside what is being pulled, though all else were gone. */
  async isShort(): Promise<boolean> {
    const disks = await this.#disks((file) => !this.#downloads.has(file));
    return this.#unclaimedBytes(disks) + sumOf(disks, ({ spareBytes }) => spareBytes) < 0;
  }

  /** Finds the order that an earlier process kept. */
  open(): Promise<void> {
    return this.#kept.open();
  }

  /** Keeps the order, now and then and at the end. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(saveEveryMs, { signal }).catch(() => undefined);
      while (!this.#sortSome()) await nextTurn();
      this.#tellSent();
      await this.#kept.save(this.#spare.inOrder());
    }
  }

  /** Evicts from a disk until so many bytes are free on it; nothing where there cannot be enough. */
  async #makeFree(number: number, costBytes: number): Promise<void> {
    const disk = (await this.#disks(this.#mayGo)).find((each) => each.disk === number);
    if (disk === undefined) return;
    const shortBytes = costBytes - disk.freeBytes;
    // What is to be moved there besides comes after: it is tried again.
    if (shortBytes > disk.spareBytes) return;
    await this.#evict(number, shortBytes + this.#movesBytes(number));
  }

  /** Evicts until so many bytes are nobody's, from a disk and then from the others. */
  async #makeUnclaimed(first: number, costBytes: number): Promise<void> {
    const disks = await this.#disks(this.#mayGo);
    let shortBytes = costBytes - this.#unclaimedBytes(disks);
    const others = disks.map(({ disk }) => disk).filter((disk) => disk !== first);
    for (const disk of [first, ...others]) shortBytes -= await this.#evict(disk, shortBytes);
  }

  /** Evicts so many bytes or more from a disk, as far as there are any. @returns how many. */
  async #evict(disk: number, wantedBytes: number): Promise<number> {
    const { store, log } = this.#options;
    let bytes = 0;
    while (bytes < wantedBytes) {
      // Another manifest may have come in the middle of it.
      while (!this.#sortSome()) await nextTurn();
      const file = this.#spare.evict(disk, this.#mayGo);
      if (file === undefined) break;
      const download = this.#downloads.get(file);
      bytes += store.costBytes(download?.sizeBytes ?? store.held.get(file)?.sizeBytes ?? 0);
      if (download === undefined) await store.remove(file);
      else await download.drop();
      log.debug({ file, disk }, 'a file was evicted');
    }
    return bytes;
  }

  readonly #mayGo = (file: string): boolean =>
    this.#downloads.get(file)?.mayGo() ?? !this.#options.store.inUse(file);

  /** Where a pulled file can be put. */
  async #diskFor({ costBytes, mayEvict }: PulledWant): Promise<number | undefined> {
    const disks = await this.#disks(mayEvict ? this.#mayGo : () => false);
    const couldBytes = this.#unclaimedBytes(disks) + sumOf(disks, ({ spareBytes }) => spareBytes);
    return costBytes > couldBytes ? undefined : roomiest(disks, costBytes);
  }

  /** What is free, beside what the manifest still wants and what is being pulled was promised; less than 0 where that is more. */
  #unclaimedBytes(disks: readonly Disk[]): number {
    const { store } = this.#options;
    let bytes = sumOf(disks, ({ unheldBytes }) => unheldBytes) - this.#planned.missingBytes;
    for (const { file, sizeBytes } of this.#downloads.values())
      if (!this.wants(file)) bytes -= store.costBytes(sizeBytes);
    return bytes;
  }

  /** The disks as they are now, and what may go from each. */
  async #disks(mayGo: (file: string) => boolean): Promise<Disk[]> {
    const rooms = await this.#options.store.rooms();
    while (!this.#sortSome()) await nextTurn();
    const capacities = rooms.map(
      ({ disk, capacityBytes }) => [disk, capacityBytes - this.#planned.heldBytesOn(disk)] as const,
    );
    this.#spare.resize(new Map(capacities));
    const spareBytes = this.#spare.bytesByDisk(mayGo);
    return rooms.map(({ disk, bytesPerSecond, capacityBytes, usedBytes, promisedBytes }) => ({
      ...{ disk, bytesPerSecond },
      unheldBytes: capacityBytes - usedBytes,
      freeBytes: capacityBytes - usedBytes - promisedBytes,
      spareBytes: spareBytes.get(disk) ?? 0,
    }));
  }

  #movesBytes(disk: number): number {
    const { store } = this.#options;
    const coming = this.#moves.filter(
      (move) => move.disk === disk && store.held.get(move.file)?.disk !== disk,
    );
    return sumOf(coming, ({ file }) => store.costBytes(store.held.get(file)?.sizeBytes ?? 0));
  }

  /** Sorts some files in. @returns whether that was all: whoever goes by the order goes on with this until it is, and then at once. */
  #sortSome(): boolean {
    for (let left = sortedAtOnce; left > 0; left--) {
      let next = this.#sorting.next();
      if (next.done === true) {
        if (this.#unsorted.size === 0) return true;
        this.#sorting = this.#kept.sorted(this.#unsorted).values();
        this.#unsorted.clear();
        next = this.#sorting.next();
      }
      if (next.done !== true) this.#sortIn(next.value);
    }
    return false;
  }

  #sortIn({ file, asked }: AskedFile): void {
    const { store, clock } = this.#options;
    const held = store.held.get(file);
    const disk = held?.disk ?? store.begunOn(file);
    const sizeBytes = held?.sizeBytes ?? this.#downloads.get(file)?.sizeBytes;
    if (disk === undefined || sizeBytes === undefined || this.wants(file)) this.#spare.remove(file);
    else {
      const spare = { file, disk, sizeBytes, costBytes: store.costBytes(sizeBytes) };
      this.#spare.put(spare, { asked, nowMs: clock.monotonicMs() });
    }
  }

  /** What has left meanwhile is newer than all that is sorted in. */
  async #catchUp(): Promise<void> {
    this.#isCatchingUp = true;
    while (!this.#sortSome()) await nextTurn();
    this.#isCatchingUp = false;
    this.#tellSent();
  }

  #tellSent(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [file, bytes] of this.#sent) this.#spare.sent(file, bytes, nowMs);
    this.#sent.clear();
  }
}

/** The disk for a new file: with what is free, or else with what may go. */
function roomiest(disks: readonly Disk[], costBytes: number): number | undefined {
  const emptied = disks.map((disk) => ({ ...disk, freeBytes: disk.freeBytes + disk.spareBytes }));
  return chooseDisk(disks, costBytes) ?? chooseDisk(emptied, costBytes);
}

function sumOf<T>(items: readonly T[], read: (item: T) => number): number {
  return items.reduce((sum, item) => sum + read(item), 0);
}

/** Keeps what it knows for the next process. */
export function roomComponent(room: Room): Component {
  let done: Promise<void> | undefined;
  return {
    name: 'room',
    async start({ signal, crash }) {
      await room.open();
      done = room.run(signal).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}

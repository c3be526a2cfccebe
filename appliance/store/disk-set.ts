import { describedSizeBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert, coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { chooseDisk } from '../core/choose-disk.ts';
import type { ReadBy } from './chunk-check.ts';
import type { ContentForm, OpenContent } from './content.ts';
import { fileCostBytes } from './disk-layout.ts';
import { FileMoves } from './file-moves.ts';
import type { DiskStore, DiskUsage, FileStore, HeldInfo, HoldingsChange, StoreUsage } from './file-store.ts';
import type { PartialFile } from './download.ts';

export interface DiskSetOptions {
  /** How much files may take on all disks together; undefined for all that the disks have. */
  capacityBytes: number | undefined;
  clock: Clock;
  log: Log;
}

interface Member {
  readonly disk: DiskStore;
  /** It takes no new files, and what is wanted of it is moved away. */
  isDraining: boolean;
}

/** Several disks behind the face of one. They come and go while files are served; each file is on one of them. */
export class DiskSet implements FileStore {
  readonly held = new Map<string, HeldInfo>();
  readonly partial = new Set<string>();
  readonly roots = new Map<number, string>();
  readonly #options: DiskSetOptions;
  readonly #members = new Map<number, Member>();
  readonly #begunOn = new Map<string, number>();
  readonly #listeners: ((change: HoldingsChange) => void)[] = [];
  readonly #moves: FileMoves;

  constructor(options: DiskSetOptions) {
    this.#options = options;
    this.#moves = new FileMoves({
      ...options,
      from: (file) => this.#holder(file)?.disk,
      to: (disk) => this.#taking(disk)?.disk,
    });
  }

  /** Takes a disk in with what it holds. What another disk holds too is deleted from the one that comes. */
  join(disk: DiskStore, { isDraining }: { isDraining: boolean }): void {
    assert(!this.#members.has(disk.number), 'a disk joins once');
    this.#members.set(disk.number, { disk, isDraining });
    this.roots.set(disk.number, disk.root);
    this.#shareRooms();
    const doubles: string[] = [];
    for (const [file, info] of disk.held) {
      if (this.held.has(file)) doubles.push(file);
      else this.#add(file, info);
    }
    const begun: string[] = [];
    for (const file of disk.partial) {
      if (this.held.has(file) || this.#begunOn.has(file)) begun.push(file);
      else this.#note(file, disk.number);
    }
    disk.onChange((change) => {
      this.#changed(disk, change);
    });
    void this.#clean(disk, { doubles, begun });
  }

  /** Takes a disk out with all that it holds, and tells so; it is left to whoever had it join. */
  leave(number: number): void {
    const member = this.#members.get(number);
    if (member === undefined) return;
    this.#members.delete(number);
    this.roots.delete(number);
    this.#shareRooms();
    for (const file of member.disk.partial) if (this.#begunOn.get(file) === number) this.#forget(file);
    for (const file of member.disk.held.keys()) this.#drop(file, number, member.disk.lastSentMs(file));
  }

  setDraining(number: number, isDraining: boolean): void {
    const member = this.#members.get(number);
    if (member === undefined) return;
    member.isDraining = isDraining;
    this.#shareRooms();
  }

  async open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    return this.#holder(file)?.disk.open(file, form);
  }

  foundCut(file: string): void {
    this.#holder(file)?.disk.foundCut?.(file);
  }

  foundUnreadable(file: string): void {
    this.#holder(file)?.disk.foundUnreadable?.(file);
  }

  async inspect(file: string): Promise<boolean> {
    return (await this.#holder(file)?.disk.inspect(file)) ?? false;
  }

  async usage(): Promise<StoreUsage> {
    const rooms = await this.rooms();
    return {
      capacityBytes: rooms.reduce((sum, room) => sum + room.capacityBytes, 0),
      usedBytes: rooms.reduce((sum, room) => sum + room.usedBytes, 0),
    };
  }

  async rooms(): Promise<readonly DiskUsage[]> {
    const taking = [...this.#members.values()].filter(({ isDraining }) => !isDraining);
    // One that cannot be asked has no room; whoever watches it sees to the rest.
    const asked = await Promise.allSettled(taking.map(({ disk }) => disk.rooms()));
    const rooms = asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const sumBytes = rooms.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
    const share = Math.min(1, (this.#options.capacityBytes ?? Infinity) / Math.max(1, sumBytes));
    return rooms.map((room) => ({ ...room, capacityBytes: Math.floor(room.capacityBytes * share) }));
  }

  costBytes(sizeBytes: number): number {
    return fileCostBytes(sizeBytes);
  }

  inUse(file: string): boolean {
    return this.#holder(file)?.disk.inUse(file) ?? false;
  }

  noteSent(file: string): void {
    this.#holder(file)?.disk.noteSent(file);
  }

  begunOn(file: string): number | undefined {
    return this.#begunOn.get(file);
  }

  async begin(file: string, descriptor: Buffer, disk?: number): Promise<PartialFile> {
    const member = this.#taking(disk) ?? (await this.#roomiest(file, descriptor));
    const partial = await member.disk.begin(file, descriptor);
    this.#note(file, member.disk.number);
    return partial;
  }

  async resume(file: string): Promise<PartialFile | undefined> {
    const partial = await this.#beginner(file)?.resume(file);
    if (partial === undefined) this.#forget(file);
    return partial;
  }

  async publish(partial: PartialFile): Promise<void> {
    const disk = this.#beginner(partial.file);
    if (disk === undefined) throw coded('DISK_GONE', `the disk of ${partial.file} was taken out`);
    await disk.publish(partial);
    this.#forget(partial.file);
  }

  async discard(file: string): Promise<void> {
    const disk = this.#beginner(file);
    this.#forget(file);
    await disk?.discard(file);
  }

  async remove(file: string): Promise<void> {
    await this.#holder(file)?.disk.remove(file);
  }

  async check(file: string, index: number, by: ReadBy): Promise<'good' | 'bad' | 'gone'> {
    return (await this.#holder(file)?.disk.check(file, index, by)) ?? 'gone';
  }

  move(file: string, disk: number): void {
    this.#moves.add(file, disk);
  }

  onChange(listener: (change: HoldingsChange) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.#moves.close();
    await Promise.all([...this.#members.values()].map(({ disk }) => disk.close()));
  }

  /** Disks on one file system have its room together. */
  #shareRooms(): void {
    const taking = [...this.#members.values()].filter(({ isDraining }) => !isDraining);
    for (const { disk } of taking)
      disk.shareRoom(taking.filter((other) => other.disk.device === disk.device).length);
  }

  #holder(file: string): Member | undefined {
    const info = this.held.get(file);
    return info && this.#members.get(info.disk);
  }

  #beginner(file: string): DiskStore | undefined {
    return this.#members.get(this.#begunOn.get(file) ?? -1)?.disk;
  }

  #taking(disk: number | undefined): Member | undefined {
    const member = this.#members.get(disk ?? -1);
    return member?.isDraining === false ? member : undefined;
  }

  async #roomiest(file: string, descriptor: Buffer): Promise<Member> {
    const rooms = (await this.rooms()).map((room) => ({
      ...room,
      freeBytes: room.capacityBytes - room.usedBytes,
    }));
    const chosen = chooseDisk(rooms, this.costBytes(describedSizeBytes(descriptor) ?? 0));
    const member = this.#taking(chosen);
    if (member === undefined) throw coded('DISK_FULL', `no disk has room for ${file}`);
    return member;
  }

  #note(file: string, number: number): void {
    this.partial.add(file);
    this.#begunOn.set(file, number);
  }

  #forget(file: string): void {
    this.partial.delete(file);
    this.#begunOn.delete(file);
  }

  /** What lies on a disk that has come and is of no use there. */
  async #clean(disk: DiskStore, { doubles, begun }: Record<'doubles' | 'begun', string[]>): Promise<void> {
    try {
      for (const file of doubles) await disk.remove(file);
      for (const file of begun) await disk.discard(file);
    } catch (error) {
      this.#options.log.warn({ err: error, disk: disk.root }, 'files that another disk holds too remain');
    }
  }

  #changed(disk: DiskStore, { kind, file, lastSentMs }: HoldingsChange): void {
    if (this.#members.get(disk.number)?.disk !== disk) return;
    const info = disk.held.get(file);
    if (kind === 'removed') this.#drop(file, disk.number, lastSentMs);
    else if (kind === 'added' && info !== undefined) this.#add(file, info);
    else if (this.held.has(file) || this.#begunOn.has(file))
      void this.#clean(disk, { doubles: [], begun: [file] });
    else this.#note(file, disk.number);
  }

  #add(file: string, info: HeldInfo): void {
    this.held.set(file, info);
    this.#tell({ kind: 'added', file });
  }

  /** A file that has moved on is not its former disk's any more. */
  #drop(file: string, number: number, lastSentMs: number | undefined): void {
    if (this.held.get(file)?.disk !== number) return;
    this.held.delete(file);
    this.#tell({ kind: 'removed', file, lastSentMs });
  }

  #tell(change: HoldingsChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

import type { DiskCapacity, HeldFile } from '../../../../appliance/core/fill-diff.ts';
import type { Watch } from './watch.ts';

interface SimDisk {
  readonly disk: number;
  readonly capacityBytes: number;
  /** By held files and by downloads under way. */
  usedBytes: number;
  failed: boolean;
}

interface Held {
  readonly sizeBytes: number;
  readonly disk: number;
  lastServedMs: number;
}

/** A box's disks, what is on them, and who reads it. */
export class SimBox {
  readonly id: string;
  readonly site: string;
  readonly disks: readonly SimDisk[];
  /** Names of the held files. */
  readonly held = new Set<string>();
  holdingsVersion = 0;
  /** Undefined while it is up. */
  downSinceMs: number | undefined;
  /** Told when a disk is lost or comes back. */
  onDisks: () => void = () => undefined;
  readonly #files = new Map<string, Held>();
  readonly #leasedUntilMs = new Map<string, number>();
  readonly #watch: Watch;
  readonly #nowMs: () => number;

  constructor(of: {
    id: string;
    site: string;
    diskBytes: readonly number[];
    watch: Watch;
    nowMs: () => number;
  }) {
    this.id = of.id;
    this.site = of.site;
    this.disks = of.diskBytes.map((capacityBytes, disk) => ({
      disk,
      capacityBytes,
      usedBytes: 0,
      failed: false,
    }));
    this.#watch = of.watch;
    this.#nowMs = of.nowMs;
  }

  get isUp(): boolean {
    return this.downSinceMs === undefined;
  }

  get capacityBytes(): number {
    return this.working().reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
  }

  working(): SimDisk[] {
    return this.disks.filter(({ failed }) => !failed);
  }

  /** As the comparison with a manifest takes them. */
  diskCapacities(): DiskCapacity[] {
    return this.working().map(({ disk, capacityBytes }) => ({
      disk,
      capacityBytes,
      bytesPerSecond: undefined,
    }));
  }

  holdings(): Map<string, HeldFile & { readonly lastServedMs: number }> {
    return new Map(
      this.#files.entries().map(([file, held]) => [file, { ...held, inUse: this.isLeased(file) }]),
    );
  }

  isLeased(file: string): boolean {
    return (this.#leasedUntilMs.get(file) ?? 0) > this.#nowMs();
  }

  /** A viewer reads a held file until then. */
  lease(file: string, untilMs: number): void {
    const held = this.#files.get(file);
    if (held !== undefined) held.lastServedMs = this.#nowMs();
    this.#leasedUntilMs.set(file, Math.max(untilMs, this.#leasedUntilMs.get(file) ?? 0));
  }

  /** Takes room for a download. */
  allocate(disk: number, sizeBytes: number): void {
    const on = this.disks[disk]!;
    on.usedBytes += sizeBytes;
    this.#watch.holds(
      !on.failed && on.usedBytes <= on.capacityBytes,
      () => `${this.id} has ${on.usedBytes} bytes on disk ${disk}, which takes ${on.capacityBytes}`,
    );
  }

  /** Gives the room of a download back; with the disk it is gone anyway. */
  release(disk: number, sizeBytes: number): void {
    const on = this.disks[disk]!;
    if (!on.failed) on.usedBytes -= sizeBytes;
  }

  /** A download on that disk is whole. */
  publish(file: string, sizeBytes: number, disk: number): void {
    this.#watch.holds(!this.held.has(file), () => `${this.id} was filled twice with ${file}`);
    this.#files.set(file, { sizeBytes, disk, lastServedMs: 0 });
    this.held.add(file);
    this.holdingsVersion++;
  }

  /** Deletes a held file to make room. */
  evict(file: string): void {
    const held = this.#files.get(file);
    this.#watch.holds(held !== undefined, () => `${this.id} evicts ${file}, which it does not hold`);
    this.#watch.holds(!this.isLeased(file), () => `${this.id} evicts ${file} while it is leased`);
    this.release(held!.disk, held!.sizeBytes);
    this.#forget(file);
  }

  /** A disk dies with everything on it. */
  loseDisk(disk: number): void {
    const on = this.disks[disk]!;
    for (const [file, held] of this.#files) if (held.disk === disk) this.#forget(file);
    on.failed = true;
    on.usedBytes = 0;
    this.onDisks();
  }

  /** An empty disk in the place of the dead one. */
  replaceDisk(disk: number): void {
    this.disks[disk]!.failed = false;
    this.onDisks();
  }

  #forget(file: string): void {
    this.#files.delete(file);
    this.#leasedUntilMs.delete(file);
    this.held.delete(file);
    this.holdingsVersion++;
  }
}

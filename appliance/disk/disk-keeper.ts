import { DiskSlot, type DiskHost, type DiskState } from './disk-slot.ts';

/** The disks that are wanted. */
export interface WantedDisks {
  readonly disks: readonly string[];
  /** Those of them that are to be emptied. */
  readonly drainDisks: readonly string[];
}

/** How many disks are in which state where there are none. */
export const noDisks: Readonly<Record<DiskState, number>> = { serving: 0, draining: 0, out: 0 };

/** The disks of a box: each is opened, watched and let go of by itself. */
export class DiskKeeper {
  readonly #host: DiskHost;
  #slots: readonly DiskSlot[] = [];
  #watching: AbortSignal | undefined;
  readonly #watches = new Set<Promise<void>>();

  constructor(host: DiskHost) {
    this.#host = host;
  }

  /** Makes the disks those that are wanted: what is new is opened, what is gone let go of and forgotten. */
  async use({ disks, drainDisks }: WantedDisks): Promise<void> {
    const gone = this.#slots.filter(({ path }) => !disks.includes(path));
    const kept = this.#slots.filter(({ path }) => disks.includes(path));
    for (const slot of kept) slot.setDraining(drainDisks.includes(slot.path));
    const known = new Set(kept.map(({ path }) => path));
    const added = disks
      .filter((path) => !known.has(path))
      .map((path) => new DiskSlot(this.#host, path, drainDisks.includes(path)));
    this.#slots = [...kept, ...added];
    // One that hangs keeps nobody waiting.
    for (const slot of gone) void slot.end();
    for (const { path } of gone) await this.#host.book.forget(path);
    await Promise.all(added.map((slot) => slot.open()));
    for (const slot of added) this.#watch(slot);
  }

  /** Watches the disks until the signal ends it. */
  start(signal: AbortSignal): void {
    this.#watching = signal;
    for (const slot of this.#slots) this.#watch(slot);
  }

  /** Resolves when nothing watches any more and every disk is let go of, as far as the disks allow. */
  async close(): Promise<void> {
    await Promise.all(this.#watches);
    await Promise.all(this.#slots.map((slot) => slot.close()));
  }

  /** A code and words for each disk with which something is the matter. */
  reasons(): string[] {
    return this.#slots.flatMap((slot) => slot.reason()?.slice(0, 200) ?? []);
  }

  /** How many disks are in each state. */
  states(): Readonly<Record<DiskState, number>> {
    const states = { ...noDisks };
    for (const { state } of this.#slots) states[state]++;
    return states;
  }

  #watch(slot: DiskSlot): void {
    if (this.#watching === undefined) return;
    const watch = slot.watch(this.#watching).finally(() => this.#watches.delete(watch));
    this.#watches.add(watch);
  }
}

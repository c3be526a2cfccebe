import type { MayGo } from './rule.ts';
import { none } from './id-index.ts';
import { intAt, type Slots } from './slots.ts';

/** A queue of slots from the newest to the oldest, linked through the table. A slot is in one queue at most. */
export class Queue {
  newest = none;
  oldest = none;
  length = 0;
  /** Of all objects in it. */
  bytes = 0;
  readonly #slots: Slots;
  readonly #number: number;

  /** `number` tells the queue from others over the same table: 1 to 255. */
  constructor(slots: Slots, number: number) {
    this.#slots = slots;
    this.#number = number;
  }

  has(slot: number): boolean {
    return this.#slots.queue[slot] === this.#number;
  }

  /** Puts a slot that is in no queue before all others. */
  add(slot: number): void {
    const slots = this.#slots;
    slots.queue[slot] = this.#number;
    slots.newer[slot] = none;
    slots.older[slot] = this.newest;
    if (this.newest === none) this.oldest = slot;
    else slots.newer[this.newest] = slot;
    this.newest = slot;
    this.length++;
    this.bytes += slots.sizeOf(slot);
  }

  remove(slot: number): void {
    const slots = this.#slots;
    const newer = intAt(slots.newer, slot);
    const older = intAt(slots.older, slot);
    if (newer === none) this.newest = older;
    else slots.older[newer] = older;
    if (older === none) this.oldest = newer;
    else slots.newer[older] = newer;
    slots.queue[slot] = 0;
    this.length--;
    this.bytes -= slots.sizeOf(slot);
  }

  /** Makes a slot of this queue its newest. */
  renew(slot: number): void {
    if (slot === this.newest) return;
    this.remove(slot);
    this.add(slot);
  }

  /** The neighbour on the way to the newest; after that the oldest again. */
  nextRound(slot: number): number {
    const newer = intAt(this.#slots.newer, slot);
    return newer === none ? this.oldest : newer;
  }

  /** Takes out the oldest that may go; `none` where none may. */
  takeOldest(mayGo: MayGo | undefined): number {
    for (let left = this.length; left > 0; left--) {
      const slot = this.oldest;
      if (mayGo === undefined || mayGo(slot)) {
        this.remove(slot);
        return slot;
      }
      this.renew(slot);
    }
    return none;
  }
}

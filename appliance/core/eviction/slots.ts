import { IdIndex, none } from './id-index.ts';
import type { ObjectId } from './rule.ts';

/** The number in `Slots.queue` of what is in no queue. */
const noQueue = 0;

const firstLength = 1024;

/**
 * The objects that a policy knows, held ones and ghosts: each is a slot, a small number that is an index into typed arrays and is used
 * again once it was released.
 */
export class Slots {
  readonly #slotOf = new IdIndex();
  readonly #ids: ObjectId[] = [];
  /** The slot released last; the one before it is next in `older`. */
  #free = none;
  sizeBytes = new Float64Array(firstLength);
  /** Neighbours in a queue. */
  older = new Int32Array(firstLength);
  newer = new Int32Array(firstLength);
  /** The number of the queue that a slot is in. */
  queue = new Uint8Array(firstLength);
  /** 1 for what is held. */
  held = new Uint8Array(firstLength);
  /** How often an object was asked for, as far as its policy counts. */
  asked = new Uint8Array(firstLength);

  /** The slot of an object, `none` where nothing is known of it. */
  find(id: ObjectId): number {
    return this.#slotOf.get(id);
  }

  /** A slot for an object that has none. */
  take(id: ObjectId): number {
    let slot = this.#free;
    if (slot === none) slot = this.#ids.length;
    else this.#free = intAt(this.older, slot);
    if (slot === this.sizeBytes.length) this.#grow();
    this.#ids[slot] = id;
    this.#slotOf.set(id, slot);
    return slot;
  }

  /** Forgets an object that is in no queue. */
  release(slot: number): void {
    this.#slotOf.delete(this.idOf(slot));
    this.#ids[slot] = 0;
    this.older[slot] = this.#free;
    this.#free = slot;
  }

  idOf(slot: number): ObjectId {
    return this.#ids[slot] ?? 0;
  }

  sizeOf(slot: number): number {
    return doubleAt(this.sizeBytes, slot);
  }

  isHeld(slot: number): boolean {
    return slot !== none && this.held[slot] === 1;
  }

  isQueued(slot: number): boolean {
    return this.queue[slot] !== noQueue;
  }

  #grow(): void {
    const length = 2 * this.sizeBytes.length;
    this.sizeBytes = grown(this.sizeBytes, new Float64Array(length));
    this.older = grown(this.older, new Int32Array(length));
    this.newer = grown(this.newer, new Int32Array(length));
    this.queue = grown(this.queue, new Uint8Array(length));
    this.held = grown(this.held, new Uint8Array(length));
    this.asked = grown(this.asked, new Uint8Array(length));
  }
}

// Two functions for what one could do: V8 makes the best code for what only ever sees one kind of array.

/** An entry of an array that has it. */
export function intAt(array: Int32Array, index: number): number {
  return array[index] ?? 0;
}

/** An entry of an array that has it. */
export function doubleAt(array: Float64Array, index: number): number {
  return array[index] ?? 0;
}

/** A longer array that begins with what another holds. */
export function grown<T extends Float64Array | Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

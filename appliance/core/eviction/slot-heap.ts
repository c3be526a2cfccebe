import type { MayGo } from './rule.ts';
import { none } from './id-index.ts';
import { doubleAt, grown, intAt } from './slots.ts';

const firstLength = 1024;

/** Slots by a key, the lowest first; of equal keys the one that was set first. A binary heap: O(log n) for each change. */
export class SlotHeap {
  #length = 0;
  /** The heap itself, and where in it a slot is. */
  #heap = new Int32Array(firstLength);
  #place = new Int32Array(firstLength).fill(none);
  #keys = new Float64Array(firstLength);
  /** When the key of a slot was set. */
  #turns = new Float64Array(firstLength);
  #turn = 0;

  /** The key that a slot has or had last. */
  keyOf(slot: number): number {
    return doubleAt(this.#keys, slot);
  }

  /** Adds a slot, or gives it another key. */
  set(slot: number, key: number): void {
    while (slot >= this.#keys.length) this.#grow();
    this.#keys[slot] = key;
    this.#turns[slot] = this.#turn++;
    this.#add(slot);
  }

  remove(slot: number): void {
    const place = intAt(this.#place, slot);
    this.#place[slot] = none;
    const last = intAt(this.#heap, --this.#length);
    if (last === slot) return;
    this.#settle(last, place);
  }

  /** Takes out the lowest that may go; `none` where none may. Those that may not keep their keys and their order. */
  takeLowest(mayGo: MayGo | undefined): number {
    const kept: number[] = [];
    let found = none;
    while (found === none && this.#length > 0) {
      const slot = intAt(this.#heap, 0);
      this.remove(slot);
      if (mayGo === undefined || mayGo(slot)) found = slot;
      else kept.push(slot);
    }
    for (const slot of kept) this.#add(slot);
    return found;
  }

  #add(slot: number): void {
    const place = intAt(this.#place, slot);
    this.#settle(slot, place === none ? this.#length++ : place);
  }

  /** Puts a slot where a hole is, or above or below it, as its key demands. */
  #settle(slot: number, hole: number): void {
    let place = hole;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = intAt(this.#heap, parent);
      if (!this.#isBefore(slot, other)) break;
      this.#put(other, place);
      place = parent;
    }
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#length) break;
      if (child + 1 < this.#length && this.#isBefore(intAt(this.#heap, child + 1), intAt(this.#heap, child)))
        child++;
      const other = intAt(this.#heap, child);
      if (!this.#isBefore(other, slot)) break;
      this.#put(other, place);
      place = child;
    }
    this.#put(slot, place);
  }

  #put(slot: number, place: number): void {
    this.#heap[place] = slot;
    this.#place[slot] = place;
  }

  #isBefore(a: number, b: number): boolean {
    const [keyA, keyB] = [doubleAt(this.#keys, a), doubleAt(this.#keys, b)];
    return keyA === keyB ? doubleAt(this.#turns, a) < doubleAt(this.#turns, b) : keyA < keyB;
  }

  #grow(): void {
    const length = 2 * this.#keys.length;
    this.#heap = grown(this.#heap, new Int32Array(length));
    this.#place = grown(this.#place, new Int32Array(length).fill(none));
    this.#keys = grown(this.#keys, new Float64Array(length));
    this.#turns = grown(this.#turns, new Float64Array(length));
  }
}

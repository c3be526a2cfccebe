import type { ObjectId } from '../core/eviction/rule.ts';

const never = 0xffffffff;
const firstLength = 1 << 16;

/** Learns for each request of a trace which one asks for the same object next: 4 bytes a request, and a map of the distinct objects. */
export class NextAccesses {
  #next = new Uint32Array(firstLength).fill(never);
  #length = 0;
  readonly #last = new Map<ObjectId, number>();

  /** Takes the object of the next request. */
  add(id: ObjectId): void {
    const number = this.#length++;
    if (number === this.#next.length) {
      const longer = new Uint32Array(2 * number).fill(never);
      longer.set(this.#next);
      this.#next = longer;
    }
    const before = this.#last.get(id);
    if (before !== undefined) this.#next[before] = number;
    this.#last.set(id, number);
  }

  /** The number of the request that asks for the same object as request `number`, from 0; Infinity for none. */
  after(number: number): number {
    const next = this.#next[number] ?? never;
    return next === never ? Infinity : next;
  }
}

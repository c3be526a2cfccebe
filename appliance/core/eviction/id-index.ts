import type { ObjectId } from './rule.ts';

/** No slot. */
export const none = -1;

/** What stands where no id does; as an id it is in the Map. */
const empty = NaN;
const firstLength = 2048;

/**
 * Slots by id. Traces name objects by numbers: these are in a hash table of typed arrays (open addressing, linear probing, at most half full),
 * which takes a third of the time and of the memory of a Map, and more entries than a Map's 2^24. All other ids are in a Map.
 */
export class IdIndex {
  readonly #others = new Map<ObjectId, number>();
  #ids = new Float64Array(firstLength).fill(empty);
  #slots = new Int32Array(firstLength);
  #count = 0;

  /** The slot of an id, or `none`. */
  get(id: ObjectId): number {
    if (!isPlainNumber(id)) return this.#others.get(id) ?? none;
    const place = this.#placeOf(id);
    return this.#isFree(place) ? none : (this.#slots[place] ?? none);
  }

  set(id: ObjectId, slot: number): void {
    if (!isPlainNumber(id)) {
      this.#others.set(id, slot);
      return;
    }
    if (2 * this.#count >= this.#ids.length) this.#grow();
    const place = this.#placeOf(id);
    if (this.#isFree(place)) this.#count++;
    this.#ids[place] = id;
    this.#slots[place] = slot;
  }

  delete(id: ObjectId): void {
    if (!isPlainNumber(id)) {
      this.#others.delete(id);
      return;
    }
    let hole = this.#placeOf(id);
    if (this.#isFree(hole)) return;
    this.#count--;
    const mask = this.#ids.length - 1;
    // Knuth, "The Art of Computer Programming" 3, 6.4, algorithm R: what would not be found any more moves into the hole.
    for (let place = (hole + 1) & mask; ; place = (place + 1) & mask) {
      const other = this.#ids[place] ?? empty;
      if (Number.isNaN(other)) break;
      const wanted = hashOf(other) & mask;
      if (((place - wanted) & mask) < ((place - hole) & mask)) continue;
      this.#ids[hole] = other;
      this.#slots[hole] = this.#slots[place] ?? none;
      hole = place;
    }
    this.#ids[hole] = empty;
  }

  /** Where an id is, or where it would be put. */
  #placeOf(id: number): number {
    const mask = this.#ids.length - 1;
    let place = hashOf(id) & mask;
    for (;;) {
      const other = this.#ids[place] ?? empty;
      if (other === id || Number.isNaN(other)) return place;
      place = (place + 1) & mask;
    }
  }

  #isFree(place: number): boolean {
    return Number.isNaN(this.#ids[place] ?? empty);
  }

  #grow(): void {
    const [ids, slots] = [this.#ids, this.#slots];
    this.#ids = new Float64Array(2 * ids.length).fill(empty);
    this.#slots = new Int32Array(2 * ids.length);
    ids.forEach((id, place) => {
      if (Number.isNaN(id)) return;
      const to = this.#placeOf(id);
      this.#ids[to] = id;
      this.#slots[to] = slots[place] ?? none;
    });
  }
}

function isPlainNumber(id: ObjectId): id is number {
  return typeof id === 'number' && !Number.isNaN(id);
}

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** MurmurHash3's finalizer over both halves of a double: numbers that are no integers are ids too. */
function hashOf(id: number): number {
  // 0 and -0 are one id.
  double[0] = id + 0;
  let hash = (halves[0] ?? 0) ^ Math.imul(halves[1] ?? 0, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

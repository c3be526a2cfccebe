/**
 * Who reaches a client. A **list** is a set of appliances, each with its route, the length of the prefix by which they reach it, and the
 * list of the prefix around that, where appliances stand that are not in the set. Equal routes, sets and lists are kept once, so that a
 * million prefixes share some thousands of sets, which a processor has at hand. An address leads to the entry of its list at once,
 * and to the list around it, by which one goes on. Plain data in shared memory, never changed.
 */
export interface RouteLists {
  /** Sets, see `setOf`: how many are in it, then of each its appliance and its route, in the order of the appliances. Set 0 is empty. */
  readonly sets: Uint32Array;
  /** Of each list that is around another its entry, and the list around it. List 0 is empty, and around all. */
  readonly lists: Uint32Array;
  /** Of each distinct route its keys, as `packRouteKeys` packs them. */
  readonly keys: Float64Array;
}

// An entry has the bits of the prefix, and where its set begins, in 31 bits.
const LENGTH_BITS = 8;
/** Sets begin at multiples of this, so that 33 million numbers of sets fit in an entry. */
const ALIGNMENT = 4;
export const SETS_MAX = 2 ** (31 - LENGTH_BITS) * ALIGNMENT;

/** Where the set of an entry begins; 0: it is the empty one. */
export function setOf(entry: number): number {
  return (entry >>> LENGTH_BITS) * ALIGNMENT;
}

/** Bits of the prefix of which an entry is; 0 for the empty one. */
export function lengthOf(entry: number): number {
  return entry & (2 ** LENGTH_BITS - 1);
}

/** What was built, and how to read it by the numbers that `over` gave. */
export interface BuiltLists {
  readonly lists: RouteLists;
  entryOf(list: number): number;
  /** The list around, by its number in `lists`. */
  aroundOf(list: number): number;
}

/** Collects sets, each distinct one once. Set 0 is empty. */
export class RouteSetsBuilder {
  /** A set did not fit any more: what was made is of no use. */
  isFull = false;
  readonly #sets = new Column(Uint32Array);
  readonly #keys = new Column(Float64Array);
  readonly #knownRoutes = new Known();
  readonly #knownSets = new Known();
  // The set that is being made.
  readonly #made = new Column(Uint32Array);
  readonly #madeAppliances = new Column(Uint16Array);

  constructor() {
    for (let at = 0; at < ALIGNMENT; at++) this.#sets.push(0);
  }

  /** The sets so far, as `RouteLists` has them. Another array after each that is made. */
  get sets(): Uint32Array {
    return this.#sets.values;
  }

  /** Adds the keys of an appliance's route to the next set, which has none of it yet. */
  add(appliance: number, key: number): void {
    const route = this.#routeId(key);
    let at = this.#made.count;
    this.#made.push(route);
    this.#madeAppliances.push(appliance);
    const { values: appliances } = this.#madeAppliances;
    const { values: routes } = this.#made;
    for (; at > 0 && (appliances[at - 1] ?? 0) > appliance; at--) {
      appliances[at] = appliances[at - 1] ?? 0;
      routes[at] = routes[at - 1] ?? 0;
      appliances[at - 1] = appliance;
      routes[at - 1] = route;
    }
  }

  /** Makes a set of what was added; @returns where it begins. */
  make(): number {
    const set = this.#made.count === 0 ? 0 : this.#intern();
    this.#made.count = 0;
    this.#madeAppliances.count = 0;
    return set;
  }

  build(): Pick<RouteLists, 'sets' | 'keys'> {
    return { sets: this.#sets.toShared(), keys: this.#keys.toShared() };
  }

  #routeId(key: number): number {
    // The lower 32 bits of the keys are a MED, which differs most.
    const hash = mix(mix(key % 2 ** 32) + Math.floor(key / 2 ** 32));
    const { values: keys } = this.#keys;
    const known = this.#knownRoutes.find(hash, (number) => keys[number - 1] === key);
    if (known !== 0) return known - 1;
    this.#keys.push(key);
    return this.#knownRoutes.add(hash, this.#keys.count) - 1;
  }

  #intern(): number {
    const { count, values: routes } = this.#made;
    const { values: appliances } = this.#madeAppliances;
    let hash = count;
    for (let at = 0; at < count; at++) hash = mix(mix(hash ^ (appliances[at] ?? 0)) + (routes[at] ?? 0));
    const known = this.#knownSets.find(hash, (set) => this.#isMade(set));
    if (known !== 0) return known;
    const set = this.#sets.count;
    if (set + 2 * count >= SETS_MAX) {
      this.isFull = true;
      return 0;
    }
    this.#sets.push(count);
    for (let at = 0; at < count; at++) {
      this.#sets.push(appliances[at] ?? 0);
      this.#sets.push(routes[at] ?? 0);
    }
    while (this.#sets.count % ALIGNMENT !== 0) this.#sets.push(0);
    return this.#knownSets.add(hash, set);
  }

  #isMade(set: number): boolean {
    const { values: sets } = this.#sets;
    const { count, values: routes } = this.#made;
    if (sets[set] !== count) return false;
    for (let at = 0; at < count; at++) {
      if (sets[set + 1 + 2 * at] !== this.#madeAppliances.values[at]) return false;
      if (sets[set + 2 + 2 * at] !== routes[at]) return false;
    }
    return true;
  }
}

/** Collects lists of sets, each distinct one once. */
export class RouteListsBuilder {
  readonly #sets: RouteSetsBuilder;
  readonly #lists = new Column(Uint32Array);
  readonly #knownLists = new Known();

  constructor(sets: RouteSetsBuilder) {
    this.#sets = sets;
    // The empty list.
    this.#lists.push(0);
    this.#lists.push(0);
  }

  /** Makes a list of a prefix of this length, its set and the list around it; @returns its number. */
  over(around: number, length: number, set: number): number {
    let outer = around;
    // A list that adds nobody is passed over.
    while (outer !== 0 && this.#covers(set, setOf(this.#lists.values[2 * outer] ?? 0)))
      outer = this.#lists.values[2 * outer + 1] ?? 0;
    const entry = ((set / ALIGNMENT) << LENGTH_BITS) | length;
    const hash = mix(mix(entry) ^ outer);
    const isList = (list: number): boolean =>
      this.#lists.values[2 * list] === entry && this.#lists.values[2 * list + 1] === outer;
    const known = this.#knownLists.find(hash, isList);
    if (known !== 0) return known;
    this.#lists.push(entry);
    this.#lists.push(outer);
    return this.#knownLists.add(hash, this.#lists.count / 2 - 1);
  }

  build(): BuiltLists {
    const all = this.#lists.values;
    const count = this.#lists.count / 2;
    // Most lists are around none, and are only told of by addresses: those that are get numbers of their own.
    const numbers = new Uint32Array(count);
    for (let list = 1; list < count; list++) numbers[all[2 * list + 1] ?? 0] = 1;
    const kept = new Column(Uint32Array);
    numbers[0] = 1;
    for (let list = 0; list < count; list++) {
      if (numbers[list] === 0) continue;
      numbers[list] = kept.count / 2;
      kept.push(all[2 * list] ?? 0);
      // What is around it was made before it, so that it has its number.
      kept.push(numbers[all[2 * list + 1] ?? 0] ?? 0);
    }
    return {
      lists: { ...this.#sets.build(), lists: kept.toShared() },
      entryOf: (list) => all[2 * list] ?? 0,
      aroundOf: (list) => numbers[all[2 * list + 1] ?? 0] ?? 0,
    };
  }

  /** Whether every appliance of a set is in another one. */
  #covers(set: number, outer: number): boolean {
    const { sets } = this.#sets;
    const count = sets[outer] ?? 0;
    const end = set + 2 * (sets[set] ?? 0);
    if (count > (sets[set] ?? 0)) return false;
    let own = set + 1;
    for (let at = outer + 1; at < outer + 2 * count; at += 2, own += 2) {
      const appliance = sets[at] ?? 0;
      while (own < end && (sets[own] ?? 0) < appliance) own += 2;
      if (own >= end || sets[own] !== appliance) return false;
    }
    return true;
  }
}

function mix(value: number): number {
  const mixed = Math.imul(value ^ (value >>> 15), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** Numbers above 0 by a hash, in open addressing. */
class Known {
  #slots = new Uint32Array(1024);
  #hashes = new Uint32Array(1024);
  #count = 0;

  /** The number of this hash that is it; 0 where there is none. */
  find(hash: number, isIt: (number: number) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0 || (this.#hashes[slot] === hash && isIt(number))) return number;
    }
  }

  add(hash: number, number: number): number {
    if (2 * ++this.#count > this.#slots.length) this.#grow();
    this.#put(hash, number);
    return number;
  }

  #put(hash: number, number: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number;
    this.#hashes[slot] = hash;
  }

  #grow(): void {
    const slots = this.#slots;
    const hashes = this.#hashes;
    this.#slots = new Uint32Array(2 * slots.length);
    this.#hashes = new Uint32Array(2 * slots.length);
    slots.forEach((number, slot) => {
      if (number !== 0) this.#put(hashes[slot] ?? 0, number);
    });
  }
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array;
type NumbersOf<T extends Numbers> = new (sizeOrBuffer: number | SharedArrayBuffer) => T;

/** A column that grows. */
class Column<T extends Numbers> {
  values: T;
  count = 0;
  readonly #make: NumbersOf<T>;

  constructor(make: NumbersOf<T>) {
    this.#make = make;
    this.values = new make(64);
  }

  push(value: number): void {
    if (this.count === this.values.length) {
      const grown = new this.#make(2 * this.count);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count++] = value;
  }

  toShared(): T {
    const used = this.values.subarray(0, this.count);
    const copy = new this.#make(new SharedArrayBuffer(used.byteLength));
    copy.set(used);
    return copy;
  }
}

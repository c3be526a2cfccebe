/**
 * Who reaches a client. A **list** is a set of appliances, each with its route, and the list of the prefix around it, where
 * appliances stand that are not in the set. Equal routes, sets and lists are kept once, so that a million prefixes share
 * some thousands of sets. Plain data in shared memory, never changed.
 */
export interface RouteLists {
  /** Of each list its set, and the list around it. List 0 is empty, and around all. */
  readonly sets: Uint32Array;
  readonly around: Uint32Array;
  /** Where each set begins in the two columns below, and at last where they end. */
  readonly starts: Uint32Array;
  /** Indexes of appliances, ascending within a set. */
  readonly appliances: Uint16Array;
  /** Index of the appliance's route among the distinct ones. */
  readonly routes: Uint32Array;
  /** Of each distinct route the bits of its prefix, and its keys as `packRouteKeys` packs them. */
  readonly lengths: Uint8Array;
  readonly keys: Float64Array;
}

const LENGTHS = 256;

/** Collects lists, each distinct one once. */
export class RouteListsBuilder {
  readonly #sets = new Column(Uint32Array);
  readonly #around = new Column(Uint32Array);
  readonly #starts = new Column(Uint32Array);
  readonly #appliances = new Column(Uint16Array);
  readonly #routes = new Column(Uint32Array);
  readonly #lengths = new Column(Uint8Array);
  readonly #keys = new Column(Float64Array);
  readonly #routeIds = new Map<number, number>();
  readonly #knownSets = new Known();
  readonly #knownLists = new Known();
  // The set that is being made, and whether it came out as the list around it already has it.
  #made = new Column(Uint32Array);
  #madeAppliances = new Column(Uint16Array);

  constructor() {
    this.#starts.push(0);
    this.#starts.push(0);
    this.#sets.push(0);
    this.#around.push(0);
  }

  /** Adds the route of an appliance to the next set, which has none of it yet. */
  add(appliance: number, { length, key }: { length: number; key: number }): void {
    const route = this.#routeId(length, key);
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

  /** Makes a list of what was added and the list around it; @returns its number. */
  over(around: number): number {
    let outer = around;
    // A list that adds nobody is passed over.
    while (outer !== 0 && this.#coversSet(this.#sets.values[outer] ?? 0))
      outer = this.#around.values[outer] ?? 0;
    const set = this.#internSet();
    this.#made.count = 0;
    this.#madeAppliances.count = 0;
    const hash = mix(mix(set) ^ outer);
    const isList = (list: number): boolean =>
      this.#sets.values[list] === set && this.#around.values[list] === outer;
    const known = this.#knownLists.find(hash, isList);
    if (known !== 0) return known;
    this.#sets.push(set);
    this.#around.push(outer);
    return this.#knownLists.add(hash, this.#sets.count - 1);
  }

  build(): RouteLists {
    return {
      sets: this.#sets.toShared(),
      around: this.#around.toShared(),
      starts: this.#starts.toShared(),
      appliances: this.#appliances.toShared(),
      routes: this.#routes.toShared(),
      lengths: this.#lengths.toShared(),
      keys: this.#keys.toShared(),
    };
  }

  #routeId(length: number, key: number): number {
    const name = key * LENGTHS + length;
    const known = this.#routeIds.get(name);
    if (known !== undefined) return known;
    const id = this.#keys.count;
    this.#lengths.push(length);
    this.#keys.push(key);
    this.#routeIds.set(name, id);
    return id;
  }

  /** Whether every appliance of a set is in the one that is being made. */
  #coversSet(set: number): boolean {
    const end = this.#starts.values[set + 1] ?? 0;
    let own = 0;
    for (let at = this.#starts.values[set] ?? 0; at < end; at++, own++) {
      const appliance = this.#appliances.values[at] ?? 0;
      while (own < this.#made.count && (this.#madeAppliances.values[own] ?? 0) < appliance) own++;
      if (own === this.#made.count || this.#madeAppliances.values[own] !== appliance) return false;
    }
    return true;
  }

  #internSet(): number {
    const { count, values: routes } = this.#made;
    const { values: appliances } = this.#madeAppliances;
    let hash = count;
    for (let at = 0; at < count; at++) hash = mix(mix(hash ^ (appliances[at] ?? 0)) + (routes[at] ?? 0));
    const known = this.#knownSets.find(hash, (set) => this.#isMade(set));
    if (known !== 0) return known;
    for (let at = 0; at < count; at++) {
      this.#appliances.push(appliances[at] ?? 0);
      this.#routes.push(routes[at] ?? 0);
    }
    this.#starts.push(this.#appliances.count);
    return this.#knownSets.add(hash, this.#starts.count - 2);
  }

  #isMade(set: number): boolean {
    const start = this.#starts.values[set] ?? 0;
    const { count, values: routes } = this.#made;
    if ((this.#starts.values[set + 1] ?? 0) - start !== count) return false;
    for (let at = 0; at < count; at++) {
      if (this.#appliances.values[start + at] !== this.#madeAppliances.values[at]) return false;
      if (this.#routes.values[start + at] !== routes[at]) return false;
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

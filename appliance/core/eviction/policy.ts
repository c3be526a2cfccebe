import { arcRule } from './arc.ts';
import { beladyRule } from './belady.ts';
import { clockRule } from './clock.ts';
import { fifoRule } from './fifo.ts';
import { gdsfRule } from './gdsf.ts';
import { lruRule } from './lru.ts';
import type { CacheObject, Capacity, EvictionRule, ObjectId } from './rule.ts';
import { s3fifoRule } from './s3fifo.ts';
import { sieveRule } from './sieve.ts';
import { none } from './id-index.ts';
import { Slots } from './slots.ts';

const rules = {
  lru: lruRule,
  fifo: fifoRule,
  clock: clockRule,
  sieve: sieveRule,
  s3fifo: s3fifoRule,
  arc: arcRule,
  gdsf: gdsfRule,
  belady: beladyRule,
} as const satisfies Record<string, (slots: Slots, capacity: Capacity) => EvictionRule>;

export type PolicyName = keyof typeof rules;

/** Every policy. `belady` needs to be told the future, so it is for traces only. */
export const policyNames = Object.keys(rules) as readonly PolicyName[];

/** What suits a box: docs/cache-lab.md has the evidence. */
export const policyDefault: PolicyName = 's3fifo';

/** Whether an object may be evicted now: not while it is leased. */
export type IsEvictable = (id: ObjectId) => boolean;

/**
 * Which objects to hold within a capacity in bytes, and which to evict for another. It knows objects by id and size only; whoever holds
 * the bytes deletes the victims. Time and memory are bounded by what is held, and a ghost list of at most as much for S3-FIFO and ARC.
 */
export interface EvictionPolicy {
  readonly name: PolicyName;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** How many objects are held. */
  readonly length: number;
  has(id: ObjectId): boolean;
  /** Notes that an object is asked for. @returns whether it is held: false is a miss */
  touch(object: Pick<CacheObject, 'id' | 'nextAccess'>): boolean;
  /** Takes in an object that is not held. Nothing is evicted for it: whoever asks has made room, or knows that there is some. */
  hold(object: CacheObject): void;
  /** Takes out the object that is to go first, and forgets it but for its ghost; undefined where none may go. */
  evict(isEvictable?: IsEvictable): ObjectId | undefined;
  /** Gives it another capacity: a whole number above 0. What is held stays. */
  resize(capacityBytes: number): void;
  /** Forgets an object that is gone for another reason than eviction. @returns whether it was held */
  remove(id: ObjectId): boolean;
  /** One request of a trace: a hit, or a miss that takes it in and evicts until it fits; one larger than the capacity stays out. @returns whether it was a hit */
  request(object: CacheObject): boolean;
}

/** Makes a policy that holds nothing yet. `capacityBytes` is a whole number above 0. */
export function createPolicy(name: PolicyName, capacityBytes: number): EvictionPolicy {
  return new RuledPolicy(name, capacityBytes);
}

class RuledPolicy implements EvictionPolicy {
  readonly name: PolicyName;
  readonly #slots = new Slots();
  readonly #capacity: { bytes: number };
  readonly #rule: EvictionRule;
  #usedBytes = 0;
  #length = 0;

  constructor(name: PolicyName, capacityBytes: number) {
    this.name = name;
    this.#capacity = { bytes: checkedCapacity(capacityBytes) };
    this.#rule = rules[name](this.#slots, this.#capacity);
  }

  get capacityBytes(): number {
    return this.#capacity.bytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get length(): number {
    return this.#length;
  }

  has(id: ObjectId): boolean {
    return this.#slots.isHeld(this.#slots.find(id));
  }

  touch(object: Pick<CacheObject, 'id' | 'nextAccess'>): boolean {
    const slot = this.#slots.find(object.id);
    if (!this.#slots.isHeld(slot)) return false;
    this.#rule.hit(slot, object);
    return true;
  }

  hold(object: CacheObject): void {
    const ghost = this.#slots.find(object.id);
    if (this.#slots.isHeld(ghost)) throw new RangeError(`${object.id} is held already`);
    checkSize(object);
    this.#rule.miss?.(ghost);
    this.#takeIn(ghost, object);
  }

  evict(isEvictable?: IsEvictable): ObjectId | undefined {
    const slots = this.#slots;
    const mayGo = isEvictable === undefined ? undefined : (slot: number) => isEvictable(slots.idOf(slot));
    this.#rule.miss?.(none);
    const victim = this.#rule.evict(0, mayGo);
    if (victim === none) return undefined;
    const id = slots.idOf(victim);
    this.#letGo(victim);
    return id;
  }

  resize(capacityBytes: number): void {
    this.#capacity.bytes = checkedCapacity(capacityBytes);
  }

  remove(id: ObjectId): boolean {
    const slot = this.#slots.find(id);
    if (!this.#slots.isHeld(slot)) return false;
    this.#rule.remove(slot);
    this.#letGo(slot);
    return true;
  }

  request(object: CacheObject): boolean {
    const slot = this.#slots.find(object.id);
    if (this.#slots.isHeld(slot)) {
      this.#rule.hit(slot, object);
      return true;
    }
    checkSize(object);
    const { sizeBytes } = object;
    if (sizeBytes > this.#capacity.bytes) return false;
    this.#rule.miss?.(slot);
    while (this.#usedBytes + sizeBytes > this.#capacity.bytes)
      this.#letGo(this.#rule.evict(sizeBytes, undefined));
    this.#takeIn(slot, object);
    return false;
  }

  /** Takes in an object of which a ghost may be known. */
  #takeIn(ghost: number, object: CacheObject): void {
    const slot = ghost === none ? this.#slots.take(object.id) : ghost;
    this.#slots.sizeBytes[slot] = object.sizeBytes;
    this.#slots.held[slot] = 1;
    this.#usedBytes += object.sizeBytes;
    this.#length++;
    this.#rule.insert(slot, object);
  }

  /** What is not held any more; its ghost, if it is one, keeps the slot. */
  #letGo(slot: number): void {
    this.#usedBytes -= this.#slots.sizeOf(slot);
    this.#length--;
    this.#slots.held[slot] = 0;
    if (!this.#slots.isQueued(slot)) this.#slots.release(slot);
  }
}

function checkedCapacity(bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new RangeError(`a capacity is a whole number of bytes above 0, not ${bytes}`);
}

function checkSize({ id, sizeBytes }: CacheObject): void {
  if (!(sizeBytes > 0)) throw new RangeError(`${id} has ${sizeBytes} bytes`);
}

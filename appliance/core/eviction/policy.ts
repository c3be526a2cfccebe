import { arcRule } from './arc.ts';
import { beladyRule } from './belady.ts';
import { clockRule } from './clock.ts';
import { fifoRule } from './fifo.ts';
import { gdsfRule } from './gdsf.ts';
import { lruRule } from './lru.ts';
import type { CacheObject, EvictionRule, ObjectId } from './rule.ts';
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
} as const satisfies Record<string, (slots: Slots, capacityBytes: number) => EvictionRule>;

export type PolicyName = keyof typeof rules;

/** Every policy. `belady` needs to be told the future, so it is for traces only. */
export const policyNames = Object.keys(rules) as readonly PolicyName[];

/** What suits a box: docs/cache-lab.md has the evidence. */
export const policyDefault: PolicyName = 's3fifo';

/** Whether an object may be evicted now: not while it is leased or pinned. */
export type IsEvictable = (id: ObjectId) => boolean;

/** What came of making room. */
export interface Room {
  /** Whether there is room now; if not, no more objects may go. */
  readonly fits: boolean;
  /** What was evicted for it, first to go first. The policy has forgotten them already, also where it did not help. */
  readonly victims: readonly ObjectId[];
}

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
  /** Takes in an object that is not held and evicts until it fits. One that is larger than the capacity never fits, and nothing is evicted for it. */
  admit(object: CacheObject, isEvictable?: IsEvictable): Room;
  /** Evicts until so many bytes of the capacity are unused. */
  evictUntil(unusedBytes: number, isEvictable?: IsEvictable): Room;
  /** Forgets an object that is gone for another reason than eviction. @returns whether it was held */
  remove(id: ObjectId): boolean;
  /** One request of a trace: `touch`, and on a miss `admit`. @returns whether it was a hit */
  request(object: CacheObject): boolean;
}

/** Makes a policy that holds nothing yet. `capacityBytes` is a whole number above 0. */
export function createPolicy(name: PolicyName, capacityBytes: number): EvictionPolicy {
  if (!Number.isSafeInteger(capacityBytes) || capacityBytes < 1)
    throw new RangeError(`a capacity is a whole number of bytes above 0, not ${capacityBytes}`);
  return new RuledPolicy(name, capacityBytes);
}

class RuledPolicy implements EvictionPolicy {
  readonly name: PolicyName;
  readonly capacityBytes: number;
  readonly #slots = new Slots();
  readonly #rule: EvictionRule;
  #usedBytes = 0;
  #length = 0;

  constructor(name: PolicyName, capacityBytes: number) {
    this.name = name;
    this.capacityBytes = capacityBytes;
    this.#rule = rules[name](this.#slots, capacityBytes);
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

  admit(object: CacheObject, isEvictable?: IsEvictable): Room {
    const ghost = this.#slots.find(object.id);
    if (this.#slots.isHeld(ghost)) throw new RangeError(`${object.id} is held already`);
    const victims: ObjectId[] = [];
    return { fits: this.#take(ghost, object, { isEvictable, victims }), victims };
  }

  evictUntil(unusedBytes: number, isEvictable?: IsEvictable): Room {
    const victims: ObjectId[] = [];
    this.#rule.miss?.(none);
    return { fits: this.#makeRoom(unusedBytes, 0, { isEvictable, victims }), victims };
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
    this.#take(slot, object, anything);
    return false;
  }

  /** Takes in an object of which a ghost may be known. */
  #take(ghost: number, object: CacheObject, choice: Choice): boolean {
    const { sizeBytes } = object;
    if (!(sizeBytes > 0)) throw new RangeError(`${object.id} has ${sizeBytes} bytes`);
    if (sizeBytes > this.capacityBytes) return false;
    this.#rule.miss?.(ghost);
    if (!this.#makeRoom(sizeBytes, sizeBytes, choice)) {
      if (ghost !== none) this.#slots.release(ghost);
      return false;
    }
    const slot = ghost === none ? this.#slots.take(object.id) : ghost;
    this.#slots.sizeBytes[slot] = sizeBytes;
    this.#slots.held[slot] = 1;
    this.#usedBytes += sizeBytes;
    this.#length++;
    this.#rule.insert(slot, object);
    return true;
  }

  #makeRoom(unusedBytes: number, incomingBytes: number, { isEvictable, victims }: Choice): boolean {
    const slots = this.#slots;
    const mayGo = isEvictable === undefined ? undefined : (slot: number) => isEvictable(slots.idOf(slot));
    while (this.#usedBytes + unusedBytes > this.capacityBytes) {
      const victim = this.#rule.evict(incomingBytes, mayGo);
      if (victim === none) return false;
      victims?.push(slots.idOf(victim));
      this.#letGo(victim);
    }
    return true;
  }

  /** What is not held any more; its ghost, if it is one, keeps the slot. */
  #letGo(slot: number): void {
    this.#usedBytes -= this.#slots.sizeOf(slot);
    this.#length--;
    this.#slots.held[slot] = 0;
    if (!this.#slots.isQueued(slot)) this.#slots.release(slot);
  }
}

/** What may be evicted, and where the victims are noted. */
interface Choice {
  readonly isEvictable: IsEvictable | undefined;
  readonly victims: ObjectId[] | undefined;
}

const anything: Choice = { isEvictable: undefined, victims: undefined };

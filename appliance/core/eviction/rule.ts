/** Names an object: a file, a chunk of one, a number of a trace. */
export type ObjectId = string | number | bigint;

/** What is asked for and held as a whole: a file, or a chunk of one. */
export interface CacheObject {
  readonly id: ObjectId;
  /** More than 0. An object that is held keeps the size that it came with. */
  readonly sizeBytes: number;
  /** When it is asked for next, in any unit that grows; absent or Infinity for never. Only Belady's rule knows the future. */
  readonly nextAccess?: number;
}

/** How many bytes a policy has to do with; it may change. */
export interface Capacity {
  readonly bytes: number;
}

/** Whether the object of a slot may be chosen as a victim. */
export type MayGo = (slot: number) => boolean;

/**
 * The decisions of one eviction policy over objects that are slots of a table. What all policies have in common, such as counting bytes
 * and evicting until an object fits, is done by whoever asks (policy.ts).
 *
 * An object that may not go and is met as the next victim counts as the youngest of its queue, and keeps what was counted of it.
 */
export interface EvictionRule {
  /** The object is held and is asked for. */
  hit(slot: number, object: Pick<CacheObject, 'nextAccess'>): void;
  /** Room will be made for an object that is not held. `ghost` is the slot of what is remembered of it, or `none`; it is a ghost no longer. */
  miss?(ghost: number): void;
  /** The object is held from now on. */
  insert(slot: number, object: CacheObject): void;
  /**
   * Chooses a victim and takes it from among those that are held; its slot is in a queue afterwards if it stays as a ghost.
   * `incomingBytes` is the size of what room is made for. `none` where no object may go.
   */
  evict(incomingBytes: number, mayGo: MayGo | undefined): number;
  /** The object is gone for another reason; no ghost of it stays. */
  remove(slot: number): void;
}

/** When something was said, and by which device. `sequence` counts what the device has said. */
export interface Stamp {
  /** Unix milliseconds. */
  readonly atMs: number;
  /** ASCII, so that every engine orders it alike. */
  readonly deviceId: string;
  readonly sequence: number;
}

/**
 * What is known of a title in a profile. `progress`: where to go on, in milliseconds; `list`: 1 for on the list, 0 for taken off;
 * `rating`: see `ratingValues`; `forgotten`: nothing that was watched until then is shown any more, its value is 0; `hidden`: 1 for what
 * is never to be recommended, 0 for what may be again.
 */
export type RegisterKind = 'progress' | 'list' | 'rating' | 'forgotten' | 'hidden';

/** The latest that was said of one thing: one for each profile, kind and title. */
export interface ViewingRegister {
  readonly profileId: string;
  readonly kind: RegisterKind;
  readonly titleId: string;
  readonly stamp: Stamp;
  /** A whole number, by its kind. */
  readonly value: number;
}

/** One viewing, from its start to its last report: one for each profile, start and id. */
export interface ViewingEntry {
  readonly profileId: string;
  readonly startedAtMs: number;
  readonly viewingId: string;
  readonly titleId: string;
  readonly stamp: Stamp;
  readonly positionMs: number;
  /** How long it has played, which a pause does not lengthen. */
  readonly watchedMs: number;
}

/** Some of the state of profiles: what a report says, a profile as a whole, what another replica holds. */
export interface ViewingRows {
  readonly registers: readonly ViewingRegister[];
  readonly entries: readonly ViewingEntry[];
}

/** Ratings, and the values of their registers. */
export const ratingValues = { down: -1, none: 0, up: 1, love: 2 } as const;

/** How stamps are ordered: by time, then device, then sequence. Negative where `one` is earlier. */
export function compareStamps(one: Stamp, other: Stamp): number {
  if (one.atMs !== other.atMs) return one.atMs - other.atMs;
  if (one.deviceId !== other.deviceId) return one.deviceId < other.deviceId ? -1 : 1;
  return one.sequence - other.sequence;
}

/** The later of two values of a register. Of one stamp a device says one thing; one that says two ends with the greater everywhere. */
export function laterRegister<T extends Pick<ViewingRegister, 'stamp' | 'value'>>(one: T, other: T): T {
  return (compareStamps(one.stamp, other.stamp) || one.value - other.value) < 0 ? other : one;
}

/** The later of two states of a viewing. */
export function laterEntry(one: ViewingEntry, other: ViewingEntry): ViewingEntry {
  const order =
    compareStamps(one.stamp, other.stamp) ||
    one.positionMs - other.positionMs ||
    one.watchedMs - other.watchedMs ||
    (one.titleId < other.titleId ? -1 : 1);
  return order < 0 ? other : one;
}

/**
 * The join of states: of every register and every viewing the latest. It is idempotent, commutative and associative (each row is the
 * greatest of a total order), so replicas that have joined the same reports are the same, whatever the order and however often
 * each came (Shapiro et al., Conflict-free Replicated Data Types, 2011, §2). Rows come sorted by their keys.
 */
export function joinRows(...states: readonly ViewingRows[]): ViewingRows {
  const registers = new Map<string, ViewingRegister>();
  const entries = new Map<string, ViewingEntry>();
  for (const state of states) {
    for (const one of state.registers) {
      const key = `${one.profileId} ${one.kind} ${one.titleId}`;
      const held = registers.get(key);
      registers.set(key, held === undefined ? one : laterRegister(held, one));
    }
    for (const one of state.entries) {
      const key = `${one.profileId} ${String(one.startedAtMs).padStart(16, '0')} ${one.viewingId}`;
      const held = entries.get(key);
      entries.set(key, held === undefined ? one : laterEntry(held, one));
    }
  }
  return { registers: inOrder(registers), entries: inOrder(entries) };
}

function inOrder<T>(rows: ReadonlyMap<string, T>): T[] {
  return [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
}

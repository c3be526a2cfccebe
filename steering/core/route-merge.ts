import type { RouteBytes, RouteCursor } from '../../common/core/route-table-codec.ts';
import type { RouteLists, RouteSetsBuilder } from './route-lists.ts';
import type { PrefixRows, RouteRows } from './route-rows.ts';

/** A route table with the indexes of the appliances that it is of, ascending. */
export interface OwnedTable {
  readonly routes: RouteBytes;
  readonly owners: readonly number[];
}

/** What was merged before, and what of it is no more. */
export interface MergedBefore {
  readonly rows: RouteRows;
  readonly lists: Pick<RouteLists, 'sets' | 'keys'>;
  /** The tables that appliances have no more, with those who had them, by their indexes of today. */
  readonly gone: readonly OwnedTable[];
  /** The index of today for each of then, -1 where there is none; undefined where all have the index that they had. */
  readonly indexes: Int32Array | undefined;
}

/** What of a merge is of one family. */
export interface MergeInput {
  readonly family: 4 | 6;
  readonly come: readonly OwnedTable[];
  readonly before: MergedBefore | undefined;
  /** Takes the sets that are made. */
  readonly sets: RouteSetsBuilder;
}

const APPLIANCES_MAX = 2 ** 16;
const EMPTY = 0xffffffff;

/**
 * Merges the sorted routes of many tables into what was merged before: a heap of cursors, the one with the least prefix at its top. Prefixes
 * of which no table tells are as they were, and pass by in a few steps.
 */
export class RouteMerge {
  /** The prefix that `next` came to. */
  readonly words: Uint32Array;
  length = 0;
  fault: string | undefined;
  /** How many prefixes there are at least, if every table is sound. */
  readonly largest: number;
  readonly #heap: Head[];
  /** The order of each head of the heap, side by side: mostly no more of them is looked at. */
  readonly #orders: Float64Array;
  readonly #rows: Rows;
  readonly #renewed: SetRenewal;
  #count: number;
  #isTold = false;
  #set = 0;

  constructor({ family, come, before, sets }: MergeInput) {
    this.words = new Uint32Array(family === 4 ? 1 : 4);
    this.#rows = new Rows(before?.rows[family], this.words.length);
    this.#renewed = new SetRenewal(before, sets);
    this.largest = come.reduce((most, { routes }) => Math.max(most, routes.counts[family]), this.#rows.count);
    this.#heap = [
      ...come.map((table) => new Head(table, { family, isGone: false })),
      ...(before?.gone ?? []).map((table) => new Head(table, { family, isGone: true })),
    ].filter((head) => this.#step(head));
    this.#orders = Float64Array.from(this.#heap, orderOf);
    this.#count = this.#heap.length;
    for (let at = this.#count >> 1; at >= 0; at--) this.#sink(at);
  }

  /** Goes to the next distinct prefix; false behind the last, and where a table is at fault. Its set must be taken. */
  next(): boolean {
    if (this.fault !== undefined) return false;
    const rows = this.#rows;
    const top = this.#count === 0 ? undefined : this.#heap[0];
    if (top === undefined && rows.isOver()) return false;
    const sign = this.#compareToRow(top);
    this.#isTold = sign >= 0;
    this.#set = 0;
    if (sign > 0 && top !== undefined) {
      this.words.set(top.cursor.words);
      this.length = top.cursor.length;
      return true;
    }
    this.length = rows.read(this.words);
    this.#set = rows.take();
    return true;
  }

  /** Makes the set of those who have the prefix; @returns where it begins, 0 where nobody has it any more. */
  takeSet(): number {
    if (!this.#isTold) return this.#renewed.of(this.#set);
    this.#renewed.begin();
    const heap = this.#heap;
    for (
      let top = heap[0];
      this.#count > 0 && top !== undefined && this.#isCurrent(top.cursor);
      top = heap[0]
    ) {
      this.#renewed.tell(top);
      if (!this.#step(top)) {
        const last = heap[--this.#count];
        if (last === undefined || last === top) continue;
        heap[0] = last;
      }
      this.#orders[0] = orderOf(heap[0] ?? top);
      this.#sink(0);
    }
    return this.#renewed.finish(this.#set);
  }

  /** Below 0 where the row comes first, 0 where it is of the same prefix. */
  #compareToRow(top: Head | undefined): number {
    const rows = this.#rows;
    if (rows.isOver()) return 1;
    if (top === undefined) return -1;
    const difference = rows.order() - (this.#orders[0] ?? 0);
    return difference === 0 ? rows.compare(top.cursor) : difference;
  }

  #isCurrent(cursor: RouteCursor): boolean {
    if (cursor.length !== this.length) return false;
    for (let word = 0; word < this.words.length; word++) {
      if (cursor.words[word] !== this.words[word]) return false;
    }
    return true;
  }

  #step(head: Head): boolean {
    if (head.cursor.next()) return true;
    this.fault ??= head.cursor.fault;
    return false;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const orders = this.#orders;
    const moved = heap[from];
    if (moved === undefined) return;
    const order = orders[from] ?? 0;
    let at = from;
    for (let child = 2 * at + 1; child < this.#count; child = 2 * at + 1) {
      if (child + 1 < this.#count && this.#isBefore(child + 1, child)) child++;
      const least = orders[child] ?? 0;
      if (least > order || (least === order && !isBefore(heap[child], moved))) break;
      heap[at] = heap[child] ?? moved;
      orders[at] = least;
      at = child;
    }
    heap[at] = moved;
    orders[at] = order;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#orders[a] ?? 0) - (this.#orders[b] ?? 0);
    return difference === 0 ? isBefore(this.#heap[a], this.#heap[b]) : difference < 0;
  }
}

/** A cursor with those whose routes it reads. */
class Head {
  readonly cursor: RouteCursor;
  readonly keys: Float64Array;
  readonly owners: readonly number[];
  readonly isGone: boolean;

  constructor(
    { routes, owners }: OwnedTable,
    { family, isGone }: { readonly family: 4 | 6; readonly isGone: boolean },
  ) {
    this.cursor = routes.cursor(family);
    this.keys = routes.keys;
    this.owners = owners;
    this.isGone = isGone;
  }
}

/** Walks over the rows that were merged before. */
class Rows {
  readonly count: number;
  readonly #rows: PrefixRows;
  readonly #wordCount: number;
  #at = 0;

  constructor(rows: PrefixRows | undefined, wordCount: number) {
    this.#rows = rows ?? { words: new Uint32Array(), lengths: new Uint8Array(), sets: new Uint32Array() };
    this.#wordCount = wordCount;
    this.count = this.#rows.sets.length;
  }

  isOver(): boolean {
    return this.#at === this.count;
  }

  order(): number {
    const { words, lengths } = this.#rows;
    const at = this.#at * this.#wordCount;
    return orderFrom(words, at, this.#wordCount === 1 ? (lengths[this.#at] ?? 0) : undefined);
  }

  /** Compares a row with a route of its order. */
  compare({ words, length }: RouteCursor): number {
    const rows = this.#rows;
    const at = this.#at * this.#wordCount;
    for (let word = 1; word < words.length; word++) {
      const difference = (rows.words[at + word] ?? 0) - (words[word] ?? 0);
      if (difference !== 0) return difference;
    }
    return (rows.lengths[this.#at] ?? 0) - length;
  }

  /** Puts the row's address into words; @returns its length. */
  read(words: Uint32Array): number {
    const rows = this.#rows;
    const at = this.#at * this.#wordCount;
    for (let word = 0; word < words.length; word++) words[word] = rows.words[at + word] ?? 0;
    return rows.lengths[this.#at] ?? 0;
  }

  /** Goes on; @returns the set of the row that was passed. */
  take(): number {
    return this.#rows.sets[this.#at++] ?? 0;
  }
}

/** Makes the sets of today of those before: without who is gone, with who has come. */
class SetRenewal {
  readonly #before: MergedBefore | undefined;
  readonly #sets: RouteSetsBuilder;
  /** What became of each set before of which nothing was told; 0: it was not met yet. */
  readonly #known: Uint32Array;
  /** The turn in which an appliance was last told to be gone. */
  readonly #goneIn: Uint32Array;
  #turn = 0;

  constructor(before: MergedBefore | undefined, sets: RouteSetsBuilder) {
    this.#before = before;
    this.#sets = sets;
    this.#known = new Uint32Array(before?.lists.sets.length ?? 0);
    this.#goneIn = new Uint32Array(before === undefined ? 0 : APPLIANCES_MAX);
  }

  /** The same set, of today. */
  of(set: number): number {
    const known = this.#known[set] ?? 0;
    if (known !== 0) return known === EMPTY ? 0 : known;
    this.begin();
    const made = this.finish(set);
    this.#known[set] = made === 0 ? EMPTY : made;
    return made;
  }

  begin(): void {
    this.#turn++;
  }

  /** Somebody has the prefix, or has it no more. */
  tell({ owners, isGone, keys, cursor }: Head): void {
    if (isGone) {
      for (const owner of owners) this.#goneIn[owner] = this.#turn;
      return;
    }
    const key = keys[cursor.keys] ?? 0;
    for (const owner of owners) this.#sets.add(owner, key);
  }

  /** Makes the set of those told, and of those before who are not gone. */
  finish(set: number): number {
    if (this.#before === undefined || set === 0) return this.#sets.make();
    const { lists, indexes } = this.#before;
    const end = set + 2 * (lists.sets[set] ?? 0);
    for (let at = set + 1; at < end; at += 2) {
      const then = lists.sets[at] ?? 0;
      const appliance = indexes === undefined ? then : (indexes[then] ?? -1);
      if (appliance < 0 || this.#goneIn[appliance] === this.#turn) continue;
      this.#sets.add(appliance, lists.keys[lists.sets[at + 1] ?? 0] ?? 0);
    }
    return this.#sets.make();
  }
}

function orderOf({ cursor: { words, length } }: Head): number {
  return orderFrom(words, 0, words.length === 1 ? length : undefined);
}

/** What of a prefix is compared first: for IPv4 address and length, for IPv6 the first 52 bits of the address. */
function orderFrom(words: Uint32Array, at: number, length4: number | undefined): number {
  const first = words[at] ?? 0;
  return length4 === undefined ? first * 2 ** 20 + ((words[at + 1] ?? 0) >>> 12) : first * 64 + length4;
}

/** Compares the routes of two heads of one order. */
function isBefore(a: Head | undefined, b: Head | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const left = a.cursor;
  const right = b.cursor;
  for (let word = 1; word < left.words.length; word++) {
    const difference = (left.words[word] ?? 0) - (right.words[word] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return left.length < right.length;
}

import type { PrefixIntervals } from '../../common/core/prefix-layout.ts';
import { PrefixTableBuilder } from '../../common/core/prefix-table-builder.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import type { RouteBytes, RouteCursor } from '../../common/core/route-table-codec.ts';
import { RouteListsBuilder, type RouteLists } from './route-lists.ts';

/** All routes of a map, made ready for lookups: an address leads to an interval, that to a set, and beside it to the list around that. */
export interface RouteMap {
  readonly 4: PrefixIntervals;
  readonly 6: PrefixIntervals;
  readonly lists: RouteLists;
  /** How many default routes were passed over: they are never used. */
  readonly defaultsDropped: number;
}

/** A route table with the indexes of the appliances that it is of, ascending. */
export interface OwnedTable {
  readonly routes: RouteBytes;
  readonly owners: readonly number[];
}

/**
 * Builds the routes of a map from the tables of its appliances: a merge of their sorted routes, read where they are, and a
 * sweep over the address space. Each list holds every appliance that reaches the addresses of the interval by any
 * prefix, with the longest. O(n log t) time for n routes in t tables. Errors: ROUTE_TABLE_INVALID.
 */
export function buildRouteMap(tables: readonly OwnedTable[]): Result<RouteMap> {
  const lists = new RouteListsBuilder();
  let defaultsDropped = 0;
  const builders: PrefixTableBuilder[] = [];
  for (const family of [4, 6] as const) {
    const merge = new RouteMerge(tables, family);
    const builder = new PrefixTableBuilder(family, 2 + merge.largest);
    while (merge.next()) {
      if (merge.length === 0) {
        defaultsDropped += merge.forEachOwner(() => undefined);
        continue;
      }
      const around = builder.enter(merge.words);
      const { length } = merge;
      merge.forEachOwner((appliance, key) => {
        lists.add(appliance, key);
      });
      builder.open(merge.words, length, lists.over(around, length));
    }
    if (merge.fault !== undefined) return refused('ROUTE_TABLE_INVALID', merge.fault);
    builders.push(builder);
  }
  const built = lists.build();
  const [four, six] = builders.map((builder) =>
    builder.finish({ valueOf: (list) => built.entryOf(list), besideOf: (list) => built.aroundOf(list) }),
  );
  if (four === undefined || six === undefined) throw new TypeError('both families are built');
  return ok({ 4: four, 6: six, lists: built.lists, defaultsDropped });
}

/** Merges the sorted routes of many tables; a heap of cursors, the one with the least prefix at its top. */
class RouteMerge {
  /** The prefix that `next` came to. */
  readonly words: Uint32Array;
  length = 0;
  fault: string | undefined;
  readonly largest: number;
  readonly #heap: Head[];
  /** The order of each head of the heap, side by side: mostly no more of them is looked at. */
  readonly #orders: Float64Array;
  #count: number;

  constructor(tables: readonly OwnedTable[], family: 4 | 6) {
    this.words = new Uint32Array(family === 4 ? 1 : 4);
    this.largest = tables.reduce((most, { routes }) => Math.max(most, routes.counts[family]), 0);
    this.#heap = tables.map((table) => new Head(table, family)).filter((head) => this.#step(head));
    this.#orders = Float64Array.from(this.#heap, orderOf);
    this.#count = this.#heap.length;
    for (let at = this.#count >> 1; at >= 0; at--) this.#sink(at);
  }

  /** Goes to the next distinct prefix; false behind the last, and where a table is at fault. Its owners must be visited. */
  next(): boolean {
    const [top] = this.#heap;
    if (top === undefined || this.#count === 0 || this.fault !== undefined) return false;
    this.words.set(top.cursor.words);
    this.length = top.cursor.length;
    return true;
  }

  /** Visits the appliances that have the prefix; @returns how many. */
  forEachOwner(visit: (appliance: number, key: number) => void): number {
    const heap = this.#heap;
    let visited = 0;
    for (
      let top = heap[0];
      this.#count > 0 && top !== undefined && this.#isCurrent(top.cursor);
      top = heap[0]
    ) {
      const key = top.keys[top.cursor.keys] ?? 0;
      for (const owner of top.owners) visit(owner, key);
      visited += top.owners.length;
      if (!this.#step(top)) {
        const last = heap[--this.#count];
        if (last === undefined || last === top) continue;
        heap[0] = last;
      }
      this.#orders[0] = orderOf(heap[0] ?? top);
      this.#sink(0);
    }
    return visited;
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

  constructor({ routes, owners }: OwnedTable, family: 4 | 6) {
    this.cursor = routes.cursor(family);
    this.keys = routes.keys;
    this.owners = owners;
  }
}

/** What of a route is compared first: for IPv4 address and length, for IPv6 the first 52 bits of the address. */
function orderOf({ cursor: { words, length } }: Head): number {
  const first = words[0] ?? 0;
  return words.length === 1 ? first * 64 + length : first * 2 ** 20 + ((words[1] ?? 0) >>> 12);
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

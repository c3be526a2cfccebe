import type { RouteClass } from '../contract/documents.ts';
import { widthOf, type Prefix } from './ip-address.ts';

/** The classes of a route, best first; a route's class is kept as its index here. */
export const routeClasses = ['embedded', 'private', 'public'] as const satisfies readonly RouteClass[];

/** What a route contributes to a ranking besides its prefix. */
export interface RouteKeys {
  /** Index into `routeClasses`. */
  readonly classOrder: number;
  /** 0 to 255. */
  readonly asPathLength: number;
  /** 0 to 2^32 - 1. */
  readonly med: number;
}

const MED_RANGE = 2 ** 32;
const AS_PATH_RANGE = 256;

/** The keys as one number below 2^42, by which the better of two is the smaller: class, AS path, MED. */
export function packRouteKeys({ classOrder, asPathLength, med }: RouteKeys): number {
  return (classOrder * AS_PATH_RANGE + asPathLength) * MED_RANGE + med;
}

/** The keys that `packRouteKeys` packed. */
export function unpackRouteKeys(packed: number): RouteKeys {
  const high = Math.floor(packed / MED_RANGE);
  return { classOrder: high >>> 8, asPathLength: high & (AS_PATH_RANGE - 1), med: packed % MED_RANGE };
}

/** Routes of one family in columns, in order of address, then length; no prefix is there twice. */
export interface FamilyRoutes {
  readonly family: 4 | 6;
  /** Addresses in 32-bit words, most significant first: one word a route for IPv4, four for IPv6. */
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  /** Packed by `packRouteKeys`. */
  readonly keys: Float64Array;
}

/** All routes of one appliance. */
export interface RouteTable {
  readonly 4: FamilyRoutes;
  readonly 6: FamilyRoutes;
}

/** How many routes a table has. */
export function countRoutes(table: RouteTable): number {
  return table[4].lengths.length + table[6].lengths.length;
}

/** Whether some route is not of the class `embedded`. */
export function hasOpenRoutes(table: RouteTable): boolean {
  const open = packRouteKeys({ classOrder: 1, asPathLength: 0, med: 0 });
  return [table[4], table[6]].some(({ keys }) => keys.some((key) => key >= open));
}

/** Takes routes in any order. */
export interface RouteTableBuilder {
  /** Adds a route. Of two with one prefix the better is kept. */
  add(prefix: Prefix, keys: RouteKeys): void;
  build(): RouteTable;
}

/** Makes a builder of route tables. It holds 25 bytes a route and no object; building takes linear time. */
export function createRouteTableBuilder(): RouteTableBuilder {
  const columns = { 4: new RouteColumns(4), 6: new RouteColumns(6) };
  return {
    add: ({ address, length }, keys) => {
      columns[address.family].push(address.words, 0, { length, key: packRouteKeys(keys) });
    },
    build: () => ({ 4: sortRoutes(columns[4].routes()), 6: sortRoutes(columns[6].routes()) }),
  };
}

/** Columns that grow. */
export class RouteColumns {
  readonly #family: 4 | 6;
  readonly #wordCount: number;
  #count = 0;
  #words: Uint32Array;
  #lengths: Uint8Array;
  #keys: Float64Array;

  constructor(family: 4 | 6, capacity = 1024) {
    this.#family = family;
    this.#wordCount = widthOf(family) / 32;
    this.#words = new Uint32Array(capacity * this.#wordCount);
    this.#lengths = new Uint8Array(capacity);
    this.#keys = new Float64Array(capacity);
  }

  /** Adds a route whose address begins at `at` of `words`. */
  push(words: ArrayLike<number>, at: number, { length, key }: { length: number; key: number }): void {
    if (this.#count === this.#lengths.length) this.#grow();
    const row = this.#count++;
    for (let word = 0; word < this.#wordCount; word++) {
      this.#words[row * this.#wordCount + word] = words[at + word] ?? 0;
    }
    this.#lengths[row] = length;
    this.#keys[row] = key;
  }

  /** What was added, in that order. */
  routes(): FamilyRoutes {
    return {
      family: this.#family,
      words: this.#words.slice(0, this.#count * this.#wordCount),
      lengths: this.#lengths.slice(0, this.#count),
      keys: this.#keys.slice(0, this.#count),
    };
  }

  #grow(): void {
    const capacity = Math.max(16, 2 * this.#lengths.length);
    const grown = <T extends Uint32Array | Uint8Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#words = grown(new Uint32Array(capacity * this.#wordCount), this.#words);
    this.#lengths = grown(new Uint8Array(capacity), this.#lengths);
    this.#keys = grown(new Float64Array(capacity), this.#keys);
  }
}

/**
 * Compares the prefixes of two routes of one family by address, then length; 0 for the same prefix. `a` and `b` are rows of
 * `left` and `right`.
 */
export function comparePrefixes(
  [left, a]: readonly [FamilyRoutes, number],
  [right, b]: readonly [FamilyRoutes, number],
): number {
  const wordCount = widthOf(left.family) / 32;
  for (let word = 0; word < wordCount; word++) {
    const difference = (left.words[a * wordCount + word] ?? 0) - (right.words[b * wordCount + word] ?? 0);
    if (difference !== 0) return difference;
  }
  return (left.lengths[a] ?? 0) - (right.lengths[b] ?? 0);
}

/**
 * Visits each prefix of either side in order until `visit` says false, with its rows on both: -1 where a side has it not.
 */
export function walkRows(a: FamilyRoutes, b: FamilyRoutes, visit: (a: number, b: number) => boolean): void {
  let left = 0;
  let right = 0;
  while (left < a.lengths.length || right < b.lengths.length) {
    const order =
      left === a.lengths.length
        ? 1
        : right === b.lengths.length
          ? -1
          : comparePrefixes([a, left], [b, right]);
    if (!visit(order <= 0 ? left : -1, order >= 0 ? right : -1)) return;
    if (order <= 0) left++;
    if (order >= 0) right++;
  }
}

function sortRoutes(routes: FamilyRoutes): FamilyRoutes {
  const wordCount = widthOf(routes.family) / 32;
  const sorted = new RouteColumns(routes.family, routes.lengths.length);
  const order = radixOrder(routes, wordCount);
  for (let at = 0; at < order.length; at++) {
    const row = order[at] ?? 0;
    let key = routes.keys[row] ?? 0;
    for (; at + 1 < order.length && isSamePrefix(routes, row, order[at + 1] ?? 0); at++) {
      key = Math.min(key, routes.keys[order[at + 1] ?? 0] ?? 0);
    }
    sorted.push(routes.words, row * wordCount, { length: routes.lengths[row] ?? 0, key });
  }
  return sorted.routes();
}

function isSamePrefix({ family, words, lengths }: FamilyRoutes, a: number, b: number): boolean {
  const wordCount = widthOf(family) / 32;
  for (let word = 0; word < wordCount; word++) {
    if (words[a * wordCount + word] !== words[b * wordCount + word]) return false;
  }
  return lengths[a] === lengths[b];
}

/** Rows in order of address, then length: a radix sort by bytes, the least significant first. */
function radixOrder({ words, lengths }: FamilyRoutes, wordCount: number): Uint32Array {
  const byLength = Uint32Array.from(lengths);
  let order = new Uint32Array(lengths.length).map((_, row) => row);
  let spare = new Uint32Array(order.length);
  const sortBy = (column: Uint32Array, at: { stride: number; offset: number; shift: number }): void => {
    sortByByte({ column, ...at }, order, spare);
    [order, spare] = [spare, order];
  };
  sortBy(byLength, { stride: 1, offset: 0, shift: 0 });
  for (let offset = wordCount - 1; offset >= 0; offset--) {
    for (let shift = 0; shift < 32; shift += 8) sortBy(words, { stride: wordCount, offset, shift });
  }
  return order;
}

/** Writes the rows of `from` into `to` in order of one byte of a column; those that are equal in it stay as they were. */
function sortByByte(
  { column, stride, offset, shift }: { column: Uint32Array; stride: number; offset: number; shift: number },
  from: Uint32Array,
  to: Uint32Array,
): void {
  const ends = new Uint32Array(257);
  for (const row of from) {
    const next = (((column[row * stride + offset] ?? 0) >>> shift) & 255) + 1;
    ends[next] = (ends[next] ?? 0) + 1;
  }
  for (let byte = 1; byte < 257; byte++) ends[byte] = (ends[byte] ?? 0) + (ends[byte - 1] ?? 0);
  for (const row of from) {
    const byte = ((column[row * stride + offset] ?? 0) >>> shift) & 255;
    const at = ends[byte] ?? 0;
    ends[byte] = at + 1;
    to[at] = row;
  }
}

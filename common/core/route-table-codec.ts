import { createHash } from 'node:crypto';
import { ok, refused, type Result } from './result.ts';
import { RouteColumns, routeClasses, type FamilyRoutes, type RouteTable } from './route-table.ts';

/**
 * The canonical binary form of a route table (ADR 17): equal tables have equal bytes, so their SHA-256 is their name.
 *
 *     "NRT1", then as 32-bit little-endian numbers: distinct keys, IPv4 routes, bytes of their suffixes, IPv6 routes, bytes of theirs
 *     the distinct keys, ascending: class (1 byte), AS path length (1), MED (4)
 *     IPv4, then IPv6, in order of address, then length, each as four columns:
 *       tokens    1 byte a route: bytes shared with the address before (high half) and bytes that follow, less one (low half);
 *                 what is left of the address is zero; 0xff: the same address as the one before, which for the first is zero
 *       suffixes  the bytes that follow
 *       lengths   1 byte a route
 *       keys      index of the route's keys, in 1, 2 or 4 bytes as their count needs
 *
 * It compresses well because each column is of one kind; it is sent and stored compressed.
 */
const MAGIC = 'NRT1';
const HEAD_BYTES = 24;
const KEY_BYTES = 6;
const SAME_ADDRESS = 0xff;

/** What a reader allows. */
export interface RouteTableLimits {
  /** Routes of both families together. */
  readonly routesMax: number;
}

/** The name of canonical bytes: their SHA-256 in lower-case hex. */
export function nameOfRouteBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes a table in its canonical form. */
export function encodeRouteTable(table: RouteTable): Uint8Array {
  return encodeRoutes(table, MAGIC);
}

/** The same under another magic of four letters. */
export function encodeRoutes(table: RouteTable, magic: string): Uint8Array {
  const keys = Float64Array.from(new Set([...distinct(table[4].keys), ...distinct(table[6].keys)])).sort();
  const addresses = { 4: encodeAddresses(table[4]), 6: encodeAddresses(table[6]) };
  const width = indexWidth(keys.length);
  const sizeOf = (family: 4 | 6): number =>
    table[family].lengths.length * (2 + width) + addresses[family].suffixes.length;
  const bytes = new Uint8Array(HEAD_BYTES + keys.length * KEY_BYTES + sizeOf(4) + sizeOf(6));
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(magic));
  const counts = [keys.length, ...([4, 6] as const).flatMap((family) => [table[family].lengths.length, addresses[family].suffixes.length])]; // prettier-ignore
  counts.forEach((count, at) => {
    view.setUint32(4 + 4 * at, count, true);
  });
  let at = HEAD_BYTES;
  for (const key of keys) {
    view.setUint16(at, Math.floor(key / 2 ** 32));
    view.setUint32(at + 2, key % 2 ** 32, true);
    at += KEY_BYTES;
  }
  const indexes = new Map([...keys].map((key, index) => [key, index]));
  for (const family of [4, 6] as const) {
    const { tokens, suffixes } = addresses[family];
    for (const column of [tokens, suffixes, table[family].lengths]) {
      bytes.set(column, at);
      at += column.length;
    }
    for (const key of table[family].keys) {
      let index = indexes.get(key) ?? 0;
      for (let byte = 0; byte < width; byte++, index >>>= 8) bytes[at++] = index & 255;
    }
  }
  return bytes;
}

function distinct(keys: Float64Array): Set<number> {
  const found = new Set<number>();
  let last = NaN;
  for (const key of keys) {
    if (key !== last) found.add(key);
    last = key;
  }
  return found;
}

function encodeAddresses({ family, words, lengths }: FamilyRoutes) {
  const width = family === 4 ? 4 : 16;
  const tokens = new Uint8Array(lengths.length);
  const suffixes = new Uint8Array(lengths.length * width);
  const byteAt = (at: number): number => ((words[at >>> 2] ?? 0) >>> (24 - 8 * (at & 3))) & 255;
  let size = 0;
  for (let row = 0; row < lengths.length; row++) {
    const start = row * width;
    let shared = 0;
    while (shared < width && byteAt(start + shared) === (row === 0 ? 0 : byteAt(start - width + shared)))
      shared++;
    let end = width;
    while (end > shared && byteAt(start + end - 1) === 0) end--;
    tokens[row] = shared === width ? SAME_ADDRESS : (shared << 4) | (end - shared - 1);
    if (shared < width) for (let at = shared; at < end; at++) suffixes[size++] = byteAt(start + at);
  }
  return { tokens, suffixes: suffixes.subarray(0, size) };
}

function indexWidth(keyCount: number): 1 | 2 | 4 {
  return keyCount <= 2 ** 8 ? 1 : keyCount <= 2 ** 16 ? 2 : 4;
}

/** The routes of canonical bytes, to be read one by one without an object for each. */
export interface RouteBytes {
  readonly counts: Readonly<Record<4 | 6, number>>;
  /** The distinct keys, ascending. */
  readonly keys: Float64Array;
  /** Reads a family's routes from their first. */
  cursor(family: 4 | 6): RouteCursor;
}

/**
 * Opens canonical bytes: the head and the distinct keys are checked here, each route when a cursor comes to it.
 * Errors: ROUTE_TABLE_INVALID.
 */
export function openRouteBytes(bytes: Uint8Array, limits: RouteTableLimits): Result<RouteBytes> {
  return openRoutes(bytes, { ...limits, magic: MAGIC, classes: routeClasses.length });
}

/** The same for another magic and number of classes. */
export function openRoutes(
  bytes: Uint8Array,
  { magic, classes, routesMax }: RouteTableLimits & { readonly magic: string; readonly classes: number },
): Result<RouteBytes> {
  const fault = (detail: string): Result<never> => refused('ROUTE_TABLE_INVALID', detail);
  if (bytes.length < HEAD_BYTES) return fault('it is shorter than its head');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (new TextDecoder('latin1').decode(bytes.subarray(0, 4)) !== magic) return fault('it is of another kind');
  const [keyCount = 0, count4 = 0, suffixes4 = 0, count6 = 0, suffixes6 = 0] = [4, 8, 12, 16, 20].map((at) =>
    view.getUint32(at, true),
  );
  if (count4 + count6 > routesMax)
    return fault(`${count4 + count6} routes are more than the ${routesMax} allowed`);
  const width = indexWidth(keyCount);
  const start4 = HEAD_BYTES + keyCount * KEY_BYTES;
  const start6 = start4 + count4 * (2 + width) + suffixes4;
  if (start6 + count6 * (2 + width) + suffixes6 !== bytes.length)
    return fault('its size is not what its head says');
  const keys = new Float64Array(keyCount);
  for (let index = 0; index < keyCount; index++) {
    const at = HEAD_BYTES + index * KEY_BYTES;
    const high = view.getUint16(at);
    if (high >>> 8 >= classes) return fault('it names a class that there is not');
    keys[index] = high * 2 ** 32 + view.getUint32(at + 2, true);
    if (index > 0 && (keys[index] ?? 0) <= (keys[index - 1] ?? 0)) return fault('its keys are not in order');
  }
  const columns = {
    4: { count: count4, suffixes: suffixes4, start: start4 },
    6: { count: count6, suffixes: suffixes6, start: start6 },
  };
  return ok({
    counts: { 4: count4, 6: count6 },
    keys,
    cursor: (family) => new RouteCursor(bytes, { family, width, keyCount, ...columns[family] }),
  });
}

interface CursorColumns {
  readonly family: 4 | 6;
  readonly count: number;
  readonly suffixes: number;
  readonly start: number;
  /** Bytes of an index of keys. */
  readonly width: number;
  readonly keyCount: number;
}

/** Walks over the routes of one family. After `next` was true its fields are those of a route that is sound. */
export class RouteCursor {
  /** The address of the route: for IPv4 the first word only. */
  readonly words: Uint32Array;
  length = 0;
  /** Index of the route's keys. */
  keys = 0;
  /** What is wrong with the bytes, once `next` was false for that. */
  fault: string | undefined;
  readonly #bytes: Uint8Array;
  readonly #columns: CursorColumns;
  readonly #address: Uint8Array;
  #row = 0;
  #suffixAt: number;
  readonly #suffixEnd: number;

  constructor(bytes: Uint8Array, columns: CursorColumns) {
    this.#bytes = bytes;
    this.#columns = columns;
    this.words = new Uint32Array(columns.family === 4 ? 1 : 4);
    this.#address = new Uint8Array(4 * this.words.length);
    this.#suffixAt = columns.start + columns.count;
    this.#suffixEnd = this.#suffixAt + columns.suffixes;
  }

  /** Goes to the next route; false behind the last, and where the bytes are at fault. */
  next(): boolean {
    const { count, start, width, keyCount } = this.#columns;
    const row = this.#row;
    if (row === count)
      return this.#suffixAt === this.#suffixEnd ? false : this.#failed('suffixes are left over');
    this.#row++;
    const before = this.length;
    this.length = this.#bytes[this.#suffixEnd + row] ?? 0;
    const token = this.#bytes[start + row] ?? 0;
    if (token !== SAME_ADDRESS) {
      if (!this.#readAddress(token)) return this.#failed('an address is malformed or not in order');
    } else if (row > 0 && this.length <= before) {
      return this.#failed('two routes are not in order');
    }
    if (hasHostBits(this.words, this.length)) return this.#failed('a prefix has bits behind its length');
    const at = this.#suffixEnd + count + row * width;
    this.keys = 0;
    for (let byte = width - 1; byte >= 0; byte--) this.keys = this.keys * 256 + (this.#bytes[at + byte] ?? 0);
    return this.keys < keyCount || this.#failed('a route names keys that there are not');
  }

  #failed(fault: string): false {
    this.fault = fault;
    return false;
  }

  /** The first byte that differs must be greater, and the last not zero: so there is one order and one way to write it. */
  #readAddress(token: number): boolean {
    const shared = token >>> 4;
    const size = (token & 15) + 1;
    const address = this.#address;
    const from = this.#suffixAt;
    if (shared + size > address.length || from + size > this.#suffixEnd) return false;
    if ((this.#bytes[from] ?? 0) <= (address[shared] ?? 0) || this.#bytes[from + size - 1] === 0)
      return false;
    for (let at = 0; at < size; at++) address[shared + at] = this.#bytes[from + at] ?? 0;
    for (let at = shared + size; at < address.length; at++) address[at] = 0;
    this.#suffixAt = from + size;
    for (let word = shared >>> 2; word < this.words.length; word++) {
      const at = 4 * word;
      this.words[word] =
        ((address[at] ?? 0) << 24) |
        ((address[at + 1] ?? 0) << 16) |
        ((address[at + 2] ?? 0) << 8) |
        (address[at + 3] ?? 0);
    }
    return true;
  }
}

function hasHostBits(words: Uint32Array, length: number): boolean {
  if (length > 32 * words.length) return true;
  for (let word = length >>> 5; word < words.length; word++) {
    // A shift counts modulo 32: the word in which the prefix ends loses its prefix bits, those behind it lose none.
    if ((words[word] ?? 0) << (word === length >>> 5 ? length & 31 : 0) !== 0) return true;
  }
  return false;
}

/** Reads canonical bytes into columns. Errors: ROUTE_TABLE_INVALID. */
export function decodeRouteTable(bytes: Uint8Array, limits: RouteTableLimits): Result<RouteTable> {
  const opened = openRouteBytes(bytes, limits);
  return opened.ok ? readRoutes(opened.value) : opened;
}

/** Reads all routes of opened bytes. Errors: ROUTE_TABLE_INVALID. */
export function readRoutes(routes: RouteBytes): Result<RouteTable> {
  const used = new Uint8Array(routes.keys.length);
  const families = { 4: new RouteColumns(4, routes.counts[4]), 6: new RouteColumns(6, routes.counts[6]) };
  for (const family of [4, 6] as const) {
    const cursor = routes.cursor(family);
    while (cursor.next()) {
      used[cursor.keys] = 1;
      families[family].push(cursor.words, 0, { length: cursor.length, key: routes.keys[cursor.keys] ?? 0 });
    }
    if (cursor.fault !== undefined) return refused('ROUTE_TABLE_INVALID', cursor.fault);
  }
  if (used.includes(0)) return refused('ROUTE_TABLE_INVALID', 'it names keys that no route has');
  return ok({ 4: families[4].routes(), 6: families[6].routes() });
}

import { createHash } from 'node:crypto';
import type { PrefixIntervals } from '../../common/core/prefix-layout.ts';
import type { SteeringMap } from '../../common/contract/documents.ts';
import type { BuiltRoutes } from './route-map.ts';
import type { PrefixRows } from './route-rows.ts';

/**
 * The routes of a map as they lie in memory, with what the next are merged over, in one piece: what a node writes to its disk so as not to
 * merge the tables again when it starts. In the byte order of the machine, for that machine alone:
 *
 *     "NRI5", 1 as a 32-bit number, the name of what it was made of (32 bytes), how many default routes were dropped, then
 *     the length of each column in numbers, each 32 bits
 *     the columns in the order of `columnsOf`, each from a multiple of 64 bytes on
 *
 * The magic changes with the form of any column, or with how routes are merged.
 */
const MAGIC = 'NRI5';
const NAME_BYTES = 32;
const DROPPED_AT = 8 + NAME_BYTES;
const LENGTHS_AT = DROPPED_AT + 4;
const ALIGNMENT = 64;

type Column = Int32Array | Uint32Array | Uint8Array | Float64Array;
interface ColumnType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer, byteOffset: number, length: number): Column;
}

const intervals: readonly ColumnType[] = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];
const rowTypes: readonly ColumnType[] = [Uint32Array, Uint8Array, Uint32Array];
const types: readonly ColumnType[] = [
  ...intervals,
  ...intervals,
  ...[Uint32Array, Uint32Array, Float64Array],
  ...rowTypes,
  ...rowTypes,
];
const HEAD_BYTES = aligned(LENGTHS_AT + 4 * types.length);

/** The name of what a map's routes are made of: its tables, and whose they are. Equal names, equal routes. */
export function nameOfRoutes({ appliances }: SteeringMap): string {
  const names = appliances.map(({ routeTable }) => routeTable?.name ?? '');
  return createHash('sha256').update(names.join('\n')).digest('hex');
}

/** Puts routes into one piece of shared memory, with the name of what they were made of. */
export function packRouteImage(built: BuiltRoutes, name: string): SharedArrayBuffer {
  const columns = columnsOf(built);
  const size = columns.reduce((bytes, column) => aligned(bytes + column.byteLength), HEAD_BYTES);
  const image = new SharedArrayBuffer(size);
  const bytes = new Uint8Array(image);
  bytes.set(new TextEncoder().encode(MAGIC));
  const head = new Uint32Array(image, 0, HEAD_BYTES / 4);
  head[1] = 1;
  bytes.set(Buffer.from(name, 'hex'), 8);
  head[DROPPED_AT / 4] = built.routes.defaultsDropped;
  let at = HEAD_BYTES;
  for (const [number, column] of columns.entries()) {
    head[LENGTHS_AT / 4 + number] = column.length;
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at = aligned(at + column.byteLength);
  }
  return image;
}

/** The routes of an image, over its memory; undefined where it is of another name, form or machine. */
export function openRouteImage(image: SharedArrayBuffer, name: string): BuiltRoutes | undefined {
  if (image.byteLength < HEAD_BYTES) return undefined;
  const head = new Uint32Array(image, 0, HEAD_BYTES / 4);
  const bytes = Buffer.from(new Uint8Array(image, 0, DROPPED_AT));
  const isOurs = bytes.toString('latin1', 0, 4) === MAGIC && head[1] === 1;
  if (!isOurs || bytes.toString('hex', 8, DROPPED_AT) !== name) return undefined;
  const columns: Column[] = [];
  let at = HEAD_BYTES;
  for (const [number, type] of types.entries()) {
    const length = head[LENGTHS_AT / 4 + number] ?? 0;
    if (at + length * type.BYTES_PER_ELEMENT > image.byteLength) return undefined;
    columns.push(new type(image, at, length));
    at = aligned(at + length * type.BYTES_PER_ELEMENT);
  }
  if (at !== image.byteLength) return undefined;
  return routesOf(columns, head[DROPPED_AT / 4] ?? 0);
}

function columnsOf({ routes: { 4: four, 6: six, lists }, rows }: BuiltRoutes): Column[] {
  const ofIntervals = ({ index, entries, besides, starts, lows }: PrefixIntervals): Column[] => [
    index,
    entries,
    besides,
    starts,
    lows,
  ];
  const ofRows = ({ words, lengths, sets }: PrefixRows): Column[] => [words, lengths, sets];
  return [
    ...ofIntervals(four),
    ...ofIntervals(six),
    ...[lists.sets, lists.lists, lists.keys],
    ...ofRows(rows[4]),
    ...ofRows(rows[6]),
  ];
}

/** The inverse of `columnsOf`. */
function routesOf(columns: readonly Column[], defaultsDropped: number): BuiltRoutes {
  const next = columns.values();
  const take = <T extends Column>(): T => next.next().value as T;
  const intervalsOf = <F extends 4 | 6>(family: F): PrefixIntervals => ({
    family,
    index: take(),
    entries: take(),
    besides: take(),
    starts: take(),
    lows: take(),
  });
  const rowsOf = (): PrefixRows => ({ words: take(), lengths: take(), sets: take() });
  return {
    routes: {
      4: intervalsOf(4),
      6: intervalsOf(6),
      lists: { sets: take(), lists: take(), keys: take() },
      defaultsDropped,
    },
    rows: { 4: rowsOf(), 6: rowsOf() },
  };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

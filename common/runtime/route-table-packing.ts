import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { coded } from './errors.ts';

/** A route table or a difference is never larger, compressed or not: two million IPv6 routes without anything in common. */
export const routeTableBytesMax = 64 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Compresses the bytes of a route table or of a difference for the wire or the disk (zstd, RFC 8878). */
export async function packRouteTable(bytes: Uint8Array): Promise<Buffer> {
  return compress(bytes);
}

/** The bytes that were packed. @throws ROUTE_TABLE_INVALID where it is not zstd, cut off, or larger than `bytesMax`, as a table may be. */
export async function unpackRouteTable(packed: Uint8Array, bytesMax = routeTableBytesMax): Promise<Buffer> {
  if (packed.length > routeTableBytesMax)
    throw coded('ROUTE_TABLE_INVALID', 'it is larger than a table may be');
  try {
    return await decompress(packed, { maxOutputLength: bytesMax });
  } catch (cause) {
    throw coded('ROUTE_TABLE_INVALID', { detail: 'it does not unpack', cause });
  }
}

/** Places of its base that a difference can tell: all of one of 4 MiB, and some of a larger one. */
const placeBits = { min: 12, max: 22 };

/** Compresses bytes as what they are beside others that are much alike: a few bytes for each change. */
export async function packDifference(bytes: Uint8Array, base: Uint8Array): Promise<Buffer> {
  // A window that holds both: whoever unpacks it needs as much memory.
  const windowBits = Math.max(placeBits.min, Math.ceil(Math.log2(bytes.length + base.length + 1)));
  const places = Math.min(placeBits.max, windowBits);
  return compress(bytes, {
    dictionary: base,
    params: {
      [constants.ZSTD_c_windowLog]: windowBits,
      [constants.ZSTD_c_hashLog]: places,
      [constants.ZSTD_c_chainLog]: places,
    },
  });
}

/** The bytes that were packed beside a base. @throws ROUTE_TABLE_INVALID where it is not that, cut off, or larger than a table may be. */
export async function unpackDifference(packed: Uint8Array, base: Uint8Array): Promise<Buffer> {
  try {
    return await decompress(packed, { dictionary: base, maxOutputLength: routeTableBytesMax });
  } catch (cause) {
    throw coded('ROUTE_TABLE_INVALID', { detail: 'the difference does not unpack', cause });
  }
}

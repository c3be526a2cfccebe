import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { coded } from './errors.ts';

/** A route table or a difference is never larger, compressed or not: two million IPv6 routes without anything in common. */
export const routeTableBytesMax = 64 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Compresses the bytes of a route table or of a difference for the wire or the disk (zstd, RFC 8878). */
export async function packRouteTable(bytes: Uint8Array): Promise<Buffer> {
  return compress(bytes);
}

/** The bytes that were packed. @throws ROUTE_TABLE_INVALID where it is not zstd, cut off, or larger than a table may be. */
export async function unpackRouteTable(packed: Uint8Array): Promise<Buffer> {
  if (packed.length > routeTableBytesMax)
    throw coded('ROUTE_TABLE_INVALID', 'it is larger than a table may be');
  try {
    return await decompress(packed, { maxOutputLength: routeTableBytesMax });
  } catch (cause) {
    throw coded('ROUTE_TABLE_INVALID', { detail: 'it does not unpack', cause });
  }
}

import { ok, refused, type Result } from './result.ts';

/**
 * The canonical binary form of who holds which bundle (ADR 17): "NHT1", then as 32-bit little-endian numbers how many bundles
 * and how many appliances, then the names of the bundles, ascending, 32 bytes each, then for each bundle a bit for each
 * appliance of the map in the map's order, the lowest of a byte first: whether it holds all of it. "NHT2" is the same with such bits once
 * more behind: whether it holds a part of it, which is most of what is planned there. Where nobody does the form is NHT1.
 */
const WHOLE_MAGIC = 'NHT1';
const PARTS_MAGIC = 'NHT2';
const HEAD_BYTES = 12;
const NAME_BYTES = 32;
const noParts = new Uint8Array();

/** Opened holdings. */
export interface HoldingsBytes {
  readonly count: number;
  readonly names: Uint8Array;
  /** Who holds all of it. */
  readonly bits: Uint8Array;
  /** Who holds the part that is planned there; empty where nobody does. */
  readonly parts: Uint8Array;
  /** Bytes of the bits of one bundle. */
  readonly rowBytes: number;
}

/** Bytes that the bits of one bundle take. */
export function holdingsRowBytes(appliances: number): number {
  return (appliances + 7) >>> 3;
}

/** Writes holdings; `bundles` are lower-case hexadecimal names, ascending and distinct, `bits` and `parts` as their form has them. */
export function encodeHoldings(
  bundles: readonly string[],
  appliances: number,
  { bits, parts = noParts }: { bits: Uint8Array; parts?: Uint8Array },
): Uint8Array {
  const partBits = parts.some((byte) => byte !== 0) ? parts : noParts;
  const bitsAt = HEAD_BYTES + bundles.length * NAME_BYTES;
  const bytes = new Uint8Array(bitsAt + bits.length + partBits.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(partBits.length === 0 ? WHOLE_MAGIC : PARTS_MAGIC));
  view.setUint32(4, bundles.length, true);
  view.setUint32(8, appliances, true);
  bundles.forEach((bundle, row) => {
    bytes.set(Buffer.from(bundle, 'hex'), HEAD_BYTES + row * NAME_BYTES);
  });
  bytes.set(bits, bitsAt);
  bytes.set(partBits, bitsAt + bits.length);
  return bytes;
}

/** Opens holdings of a map of so many appliances. Errors: HOLDINGS_INVALID. */
export function openHoldings(bytes: Uint8Array, appliances: number): Result<HoldingsBytes> {
  const fault = (detail: string): Result<never> => refused('HOLDINGS_INVALID', detail);
  const magic = Buffer.from(bytes.subarray(0, 4)).toString('latin1');
  if (bytes.length < HEAD_BYTES || (magic !== WHOLE_MAGIC && magic !== PARTS_MAGIC))
    return fault('they are of another kind');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(4, true);
  if (view.getUint32(8, true) !== appliances) return fault('they are of another number of appliances');
  const rowBytes = holdingsRowBytes(appliances);
  const bitsAt = HEAD_BYTES + count * NAME_BYTES;
  const partsAt = bitsAt + count * rowBytes;
  if (partsAt + (magic === PARTS_MAGIC ? count * rowBytes : 0) !== bytes.length)
    return fault('their size is not what their head says');
  const names = bytes.subarray(HEAD_BYTES, bitsAt);
  for (let at = NAME_BYTES; at < names.length; at += NAME_BYTES) {
    const isAscending =
      Buffer.compare(names.subarray(at - NAME_BYTES, at), names.subarray(at, at + NAME_BYTES)) < 0;
    if (!isAscending) return fault('their bundles are not in order');
  }
  const spare = 8 * rowBytes - appliances;
  const all = bytes.subarray(bitsAt);
  for (let at = rowBytes - 1; spare > 0 && at < all.length; at += rowBytes) {
    if ((all[at] ?? 0) >>> (8 - spare) !== 0) return fault('they name appliances that there are not');
  }
  return ok({
    count,
    names,
    bits: bytes.subarray(bitsAt, partsAt),
    parts: bytes.subarray(partsAt),
    rowBytes,
  });
}

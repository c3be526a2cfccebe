import { hashText } from '../../common/core/rendezvous.ts';
import type { HoldingsBytes } from '../../common/core/holdings-codec.ts';

/** Who can answer for which bundle by what it holds, ready for lookups. Plain data in shared memory, never changed. */
export interface Holdings {
  /** The first 12 hexadecimal digits of each bundle's name as a number, ascending. */
  readonly heads: Float64Array;
  /** The names, 32 bytes each. */
  readonly names: Uint8Array;
  /**
   * For each bundle a bit for each appliance, the lowest of a byte first: whether it holds all of it, or most of what is planned of it there, and
   * can answer for the rest.
   */
  readonly bits: Uint8Array;
  /** Those of them that hold a part; empty where nobody does. */
  readonly parts: Uint8Array;
  readonly rowBytes: number;
  /** Hash of each bundle's name, for rendezvous. */
  readonly hashA: Uint32Array;
  readonly hashB: Uint32Array;
}

const HEAD_DIGITS = 12;
const NAME_BYTES = 32;

/**
 * Makes holdings ready for lookups.
 *
 * @param leadsOn by appliance: whether it fetches what it does not hold, or leads viewers on to who does. Who does neither is no way to
 * a bundle of which it holds a part.
 */
export function compileHoldings(
  { count, names, bits, parts, rowBytes }: HoldingsBytes,
  leadsOn: readonly boolean[],
): Holdings {
  const heads = new Float64Array(new SharedArrayBuffer(8 * count));
  const hashA = new Uint32Array(new SharedArrayBuffer(4 * count));
  const hashB = new Uint32Array(new SharedArrayBuffer(4 * count));
  for (let row = 0; row < count; row++) {
    const name = Buffer.from(names.subarray(row * NAME_BYTES, (row + 1) * NAME_BYTES)).toString('hex');
    const { a, b } = hashText(name);
    heads[row] = headOf(name);
    hashA[row] = a;
    hashB[row] = b;
  }
  const answering = partsOfThose(parts, { leadsOn, rowBytes });
  const either = shared(bits);
  for (let at = 0; at < answering.length; at++) either[at] = (either[at] ?? 0) | (answering[at] ?? 0);
  return { heads, names: shared(names), bits: either, parts: answering, rowBytes, hashA, hashB };
}

function partsOfThose(
  parts: Uint8Array,
  { leadsOn, rowBytes }: { leadsOn: readonly boolean[]; rowBytes: number },
): Uint8Array {
  const mask = new Uint8Array(rowBytes);
  leadsOn.forEach((leads, index) => {
    if (leads) mask[index >>> 3] = (mask[index >>> 3] ?? 0) | (1 << (index & 7));
  });
  const masked = shared(parts);
  for (let at = 0; at < masked.length; at++) masked[at] = (masked[at] ?? 0) & (mask[at % rowBytes] ?? 0);
  return masked;
}

/** The row of a bundle, whose name is lower-case hexadecimal; -1 where the map knows none of that name. */
export function rowOfBundle({ heads, names }: Holdings, bundle: string): number {
  const head = headOf(bundle);
  for (let row = firstAtLeast(heads, head); row < heads.length && heads[row] === head; row++) {
    if (nameAt(names, row) === bundle) return row;
  }
  return -1;
}

/** The row of the first bundle by name of those whose names begin with these bits; -1 where none does. */
export function firstRowWith(
  { heads }: Holdings,
  { value, bits }: { readonly value: number; readonly bits: number },
): number {
  const unit = 2 ** (4 * HEAD_DIGITS - bits);
  const row = firstAtLeast(heads, value * unit);
  return (heads[row] ?? Infinity) < (value + 1) * unit ? row : -1;
}

/** Whether an appliance has its bit for the bundle whose bits begin at `at`. */
export function hasBit(bits: Uint8Array, at: number, appliance: number): boolean {
  return (((bits[at + (appliance >>> 3)] ?? 0) >>> (appliance & 7)) & 1) === 1;
}

function headOf(bundle: string): number {
  return Number.parseInt(bundle.slice(0, HEAD_DIGITS), 16);
}

function nameAt(names: Uint8Array, row: number): string {
  return Buffer.from(names.buffer, names.byteOffset + row * NAME_BYTES, NAME_BYTES).toString('hex');
}

function firstAtLeast(heads: Float64Array, head: number): number {
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((heads[middle] ?? 0) < head) low = middle + 1;
    else high = middle;
  }
  return low;
}

function shared(from: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(from.byteLength));
  copy.set(from);
  return copy;
}

import { uint16At } from './wire.ts';

const HEAD_BYTES = 4;

/** A client's address, filled anew for each query. */
export interface MutableAddress {
  readonly family: 4 | 6;
  readonly words: number[];
}

/**
 * Whether the option's data (RFC 7871 §6) is well-formed. Malformed, which is answered FORMERR, are: a family that is not
 * known, a scope in a query, an address of another length than the source needs, bits beyond the source.
 */
export function isClientSubnet(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < HEAD_BYTES) return false;
  const family = uint16At(bytes, at);
  const sourceLength = bytes[at + 2] ?? 0;
  // RFC 7871 §6: SCOPE must be 0 in queries.
  if (bytes[at + 3] !== 0 || length !== HEAD_BYTES + ((sourceLength + 7) >>> 3)) return false;
  // RFC 7871 §7.1.2: source 0 asks not to be tailored to; clients send it with family 0 too.
  if (sourceLength === 0) return family <= 2;
  if (family !== 1 && family !== 2) return false;
  if (sourceLength > (family === 1 ? 32 : 128)) return false;
  const beyond = (1 << (-sourceLength & 7)) - 1;
  return ((bytes[at + length - 1] ?? 0) & beyond) === 0;
}

/** Bits of the client's network that a well-formed option tells; 0: not to be tailored to. */
export function sourceLengthOf(bytes: Uint8Array, at: number): number {
  return bytes[at + 2] ?? 0;
}

/** The family of a well-formed option with a source length above 0. */
export function subnetFamilyOf(bytes: Uint8Array, at: number): 4 | 6 {
  return bytes[at + 1] === 1 ? 4 : 6;
}

/** Reads the network's address of a well-formed option of `length` bytes. */
export function readSubnet(
  bytes: Uint8Array,
  { at, length }: { at: number; length: number },
  address: MutableAddress,
): void {
  const end = at + length;
  for (let word = 0; word < address.words.length; word++) {
    let value = 0;
    for (let byte = 0; byte < 4; byte++) {
      const from = at + HEAD_BYTES + word * 4 + byte;
      value = (value << 8) | (from < end ? (bytes[from] ?? 0) : 0);
    }
    address.words[word] = value >>> 0;
  }
}

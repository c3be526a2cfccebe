/** Codes of the header that are answered here (RFC 1035 §4.1.1, RFC 6891 §9). */
export const rcodes = {
  ok: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const;

export const rrTypes = {
  a: 1,
  ns: 2,
  soa: 6,
  txt: 16,
  aaaa: 28,
  opt: 41,
  https: 65,
  ixfr: 251,
  axfr: 252,
  any: 255,
  caa: 257,
} as const;

export const classIn = 1;
export const headerBytes = 12;

/** Bits of the header's flags and, the last one, of the OPT's (RFC 1035 §4.1.1, RFC 3225 §3). */
export const flagBits = {
  response: 0x8000,
  opcode: 0x7800,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  dnssecOk: 0x8000,
} as const;

/** EDNS options (RFC 7871, RFC 7873). */
export const optionCodes = { clientSubnet: 8, cookie: 10 } as const;

/** FNV-1a, by which names are found: begun with `hashStart`, a byte at a time. Our own names alone are in the table. */
export const hashStart = 0x811c9dc5;
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** Two bytes in network order; 0 for what lies beyond the end. */
export function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Four bytes in network order, unsigned. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return ((uint16At(bytes, at) << 16) | uint16At(bytes, at + 2)) >>> 0;
}

export function putUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  putUint16(bytes, at, value >>> 16);
  putUint16(bytes, at + 2, value & 0xffff);
}

/** Copies a run of bytes; a loop, which for the few bytes of a record beats a call of `set`. */
export function copyBytes(to: Uint8Array, at: number, from: Uint8Array): number {
  for (let index = 0; index < from.length; index++) to[at + index] = from[index] ?? 0;
  return at + from.length;
}

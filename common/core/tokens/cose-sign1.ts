/** The three byte strings of a COSE_Sign1 message (RFC 9052 §4.2). */
export interface CoseSign1 {
  readonly protectedHeader: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

// RFC 8949 §3.1: initial bytes. Tags: 18 is COSE_Sign1, 61 a CWT (RFC 8392 §6), which may stand around it.
const tag18 = 0xd2;
const tagOfOneByte = 0xd8;
const tag61 = 61;
const arrayOf4 = 0x84;
const emptyMap = 0xa0;
const byteString = 0x40;
const oneByteLength = 24;
const twoByteLength = 25;

/**
 * Takes a COSE_Sign1 apart; undefined for anything else. Nothing is decoded that has not been checked here, byte by byte:
 * the tags, an array of four, an unprotected header that is empty (it is not signed), every length in its shortest form
 * (RFC 8949 §4.2.1, or one token would have many spellings), and nothing behind it.
 */
export function readCoseSign1(bytes: Uint8Array): CoseSign1 | undefined {
  let at = bytes[0] === tagOfOneByte && bytes[1] === tag61 ? 2 : 0;
  if (bytes[at] !== tag18 || bytes[at + 1] !== arrayOf4) return undefined;
  at += 2;
  const next = (): Uint8Array | undefined => {
    const found = readByteString(bytes, at);
    if (found !== undefined) at = found.end;
    return found?.content;
  };
  const protectedHeader = next();
  if (bytes[at] !== emptyMap) return undefined;
  at += 1;
  const payload = next();
  const signature = next();
  if (protectedHeader === undefined || payload === undefined || signature === undefined) return undefined;
  return at === bytes.length ? { protectedHeader, payload, signature } : undefined;
}

function readByteString(bytes: Uint8Array, at: number): { content: Uint8Array; end: number } | undefined {
  const head = bytes[at];
  if (head === undefined || (head & 0xe0) !== byteString) return undefined;
  let length = head & 0x1f;
  let start = at + 1;
  if (length === oneByteLength) {
    length = bytes[start] ?? 0;
    if (length < oneByteLength) return undefined;
    start += 1;
  } else if (length === twoByteLength) {
    length = ((bytes[start] ?? 0) << 8) | (bytes[start + 1] ?? 0);
    if (length < 256) return undefined;
    start += 2;
  } else if (length > twoByteLength) return undefined;
  const end = start + length;
  return end <= bytes.length ? { content: bytes.subarray(start, end), end } : undefined;
}

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012), which RFC 9018 §4.4 asks for and Node's OpenSSL does not offer as a function.
 * On 32-bit halves: a BigInt would cost ten times as much. The result of `digest` is the 64 bits in the order of the wire.
 */
export class SipHash {
  readonly #key = new Int32Array(4);
  /** v0 to v3, low half first. */
  readonly #v = new Int32Array(8);

  /** @param key 16 bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16);
    for (let word = 0; word < 4; word++) this.#key[word] = view.getInt32(word * 4, true);
  }

  /** Writes the hash of the first `length` bytes to `out` as eight bytes. */
  digest(bytes: Uint8Array, length: number, out: Uint8Array): void {
    const v = this.#v;
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = this.#key;
    v[0] = k0 ^ 0x70736575;
    v[1] = k1 ^ 0x736f6d65;
    v[2] = k2 ^ 0x6e646f6d;
    v[3] = k3 ^ 0x646f7261;
    v[4] = k0 ^ 0x6e657261;
    v[5] = k1 ^ 0x6c796765;
    v[6] = k2 ^ 0x79746573;
    v[7] = k3 ^ 0x74656462;
    const whole = length & ~7;
    for (let at = 0; at < whole; at += 8)
      this.#take(wordAt(bytes, at, length), wordAt(bytes, at + 4, length));
    this.#take(wordAt(bytes, whole, length), wordAt(bytes, whole + 4, length) | (length << 24));
    v[4] ^= 0xff;
    for (let round = 0; round < 4; round++) sipRound(v);
    for (let byte = 0; byte < 8; byte++) {
      const half = byte >>> 2;
      const word = (v[half] ?? 0) ^ (v[half + 2] ?? 0) ^ (v[half + 4] ?? 0) ^ (v[half + 6] ?? 0);
      out[byte] = word >>> ((byte & 3) * 8);
    }
  }

  #take(low: number, high: number): void {
    const v = this.#v;
    v[6] = (v[6] ?? 0) ^ low;
    v[7] = (v[7] ?? 0) ^ high;
    sipRound(v);
    sipRound(v);
    v[0] = (v[0] ?? 0) ^ low;
    v[1] = (v[1] ?? 0) ^ high;
  }
}

/** Four bytes, least first; those beyond the end are 0. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let byte = 3; byte >= 0; byte--) word = (word << 8) | (at + byte < end ? (bytes[at + byte] ?? 0) : 0);
  return word;
}

function sipRound(v: Int32Array): void {
  mix(v, 0, 2);
  rotate(v, 2, 13);
  xor(v, 2, 0);
  swap(v, 0);
  mix(v, 4, 6);
  rotate(v, 6, 16);
  xor(v, 6, 4);
  mix(v, 0, 6);
  rotate(v, 6, 21);
  xor(v, 6, 0);
  mix(v, 4, 2);
  rotate(v, 2, 17);
  xor(v, 2, 4);
  swap(v, 4);
}

/** a += b, 64 bits. */
function mix(v: Int32Array, a: number, b: number): void {
  const low = ((v[a] ?? 0) >>> 0) + ((v[b] ?? 0) >>> 0);
  v[a] = low | 0;
  v[a + 1] = (v[a + 1] ?? 0) + (v[b + 1] ?? 0) + (low > 0xffffffff ? 1 : 0);
}

/** By fewer than 32 bits to the left. */
function rotate(v: Int32Array, a: number, bits: number): void {
  const low = v[a] ?? 0;
  const high = v[a + 1] ?? 0;
  v[a] = (low << bits) | (high >>> (32 - bits));
  v[a + 1] = (high << bits) | (low >>> (32 - bits));
}

/** By 32 bits. */
function swap(v: Int32Array, a: number): void {
  const low = v[a] ?? 0;
  v[a] = v[a + 1] ?? 0;
  v[a + 1] = low;
}

function xor(v: Int32Array, a: number, b: number): void {
  v[a] = (v[a] ?? 0) ^ (v[b] ?? 0);
  v[a + 1] = (v[a + 1] ?? 0) ^ (v[b + 1] ?? 0);
}

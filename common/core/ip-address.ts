import ipaddr from 'ipaddr.js';

/** An IP address as 32-bit words, most significant first: one for IPv4, four for IPv6. */
export interface Address {
  readonly family: 4 | 6;
  readonly words: readonly number[];
}

/** An IP prefix whose host bits are all zero. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/**
 * Reads an address in its usual text form; undefined for anything else. Octal, hex and short forms of IPv4 and IPv6
 * zones are refused; an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is taken as the IPv4 address it stands for.
 */
export function parseAddress(text: string): Address | undefined {
  const word = parseIpv4(text);
  if (word !== undefined) return { family: 4, words: [word] };
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return unmapped(fromBytes(ipaddr.IPv6.parse(text).toByteArray()));
}

/** Reads `address/length`; undefined for junk and where a bit beyond the length is set. */
export function parsePrefix(text: string): Prefix | undefined {
  const match = /^([0-9a-fA-F:.]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const host = match?.[1] ?? '';
  // A mapped prefix would change its family and its length: there is no use for it in a route.
  const mapped = host.includes(':') && host.includes('.');
  const address = mapped ? undefined : parseAddress(host);
  if (address === undefined || (address.family === 4 && host.includes(':'))) return undefined;
  const length = Number(match?.[2]);
  if (length > widthOf(address.family) || !sameAddress(networkOf(address, length), address)) return undefined;
  return { address, length };
}

/** Bits of an address: 32 or 128. */
export function widthOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** An address of 4 or 16 bytes in network order. */
export function fromBytes(bytes: ArrayLike<number>): Address {
  const words: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const word =
      ((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0);
    words.push(word >>> 0);
  }
  return { family: words.length === 1 ? 4 : 6, words };
}

/** The address with every bit beyond `length` cleared. */
export function networkOf(address: Address, length: number): Address {
  return {
    family: address.family,
    words: address.words.map((word, at) => (word & maskOf(length - at * 32)) >>> 0),
  };
}

/** Whether a prefix holds an address. */
export function isWithin({ family, words }: Address, { address, length }: Prefix): boolean {
  if (address.family !== family) return false;
  for (let at = 0; 32 * at < length; at++) {
    if ((((words[at] ?? 0) ^ (address.words[at] ?? 0)) & maskOf(length - at * 32)) !== 0) return false;
  }
  return true;
}

/** Whether two addresses are the same. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.words.every((word, at) => word === b.words[at]);
}

/** The usual text form (RFC 5952 for IPv6). */
export function formatAddress(address: Address): string {
  const bytes = address.words.flatMap((word) => [
    word >>> 24,
    (word >>> 16) & 255,
    (word >>> 8) & 255,
    word & 255,
  ]);
  return address.family === 4 ? new ipaddr.IPv4(bytes).toString() : new ipaddr.IPv6(bytes).toRFC5952String();
}

/** `address/length` of the network that an address stands in. */
export function formatPrefix(address: Address, length: number): string {
  return `${formatAddress(networkOf(address, length))}/${length}`;
}

/** Four decimal parts without leading zeros; by hand, since a table of routes has a million of them. */
function parseIpv4(text: string): number | undefined {
  let word = 0;
  let parts = 0;
  let part = -1;
  for (let at = 0; at <= text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) {
      if (part === 0) return undefined;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return undefined;
    } else {
      if (part < 0 || (at < text.length && text[at] !== '.')) return undefined;
      word = word * 256 + part;
      parts++;
      part = -1;
    }
  }
  return parts === 4 ? word : undefined;
}

function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : ~(0xffffffff >>> bits);
}

function unmapped(address: Address): Address {
  const [a = 0, b = 0, c = 0, d = 0] = address.words;
  return a === 0 && b === 0 && c === 0xffff ? { family: 4, words: [d] } : address;
}

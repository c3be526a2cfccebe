import { Tag } from 'cbor-x';

import {
  formatPrefix,
  fromBytes,
  isWithin,
  networkOf,
  parseAddress,
  parsePrefix,
  sameAddress,
  widthOf,
  type Prefix,
} from '../ip-address.ts';

/** A token names no more networks than this: it stands in every URL. */
export const clientNetworksMax = 4;

// RFC 9164 §3: an address is a byte string; a prefix is [length, its bytes without the zeros at the end].
const ipv4Tag = 52;
const ipv6Tag = 54;

/** The networks as `catnip` of CTA-5007 has them. Throws where one is not `address/length`. */
export function encodeClientNetworks(networks: readonly string[]): Tag[] {
  if (networks.length === 0 || networks.length > clientNetworksMax)
    throw new RangeError(`a token is for 1 to ${clientNetworksMax} networks`);
  return networks.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new RangeError(`${text} is not a network`);
    return new Tag([prefix.length, trimmedBytes(prefix)], prefix.address.family === 4 ? ipv4Tag : ipv6Tag);
  });
}

/** Reads them back; undefined for what is not understood whole: a rule that cannot be kept must not be passed over. */
export function decodeClientNetworks(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > clientNetworksMax) return undefined;
  const networks: string[] = [];
  for (const each of value as unknown[]) {
    const network = each instanceof Tag ? readNetwork(each) : undefined;
    if (network === undefined) return undefined;
    networks.push(network);
  }
  return networks;
}

/** Whether an address, in text, stands in one of the networks. */
export function isClientIn(networks: readonly string[], client: string): boolean {
  // A link-local address comes with its interface.
  const address = parseAddress(client.split('%', 1)[0] ?? '');
  if (address === undefined) return false;
  return networks.some((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && isWithin(address, prefix);
  });
}

function readNetwork({ tag, value }: Tag): string | undefined {
  if (tag !== ipv4Tag && tag !== ipv6Tag) return undefined;
  const family = tag === ipv4Tag ? 4 : 6;
  const width = widthOf(family);
  if (value instanceof Uint8Array)
    return value.length * 8 === width ? formatPrefix(fromBytes(value), width) : undefined;
  const [length, bytes] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0 || length > width)
    return undefined;
  if (!(bytes instanceof Uint8Array) || bytes.length * 8 > width || bytes.at(-1) === 0) return undefined;
  const whole = new Uint8Array(width / 8);
  whole.set(bytes);
  const address = fromBytes(whole);
  return sameAddress(networkOf(address, length), address) ? formatPrefix(address, length) : undefined;
}

function trimmedBytes({ address }: Prefix): Uint8Array {
  const bytes = Buffer.alloc(address.words.length * 4);
  address.words.forEach((word, at) => bytes.writeUInt32BE(word, at * 4));
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

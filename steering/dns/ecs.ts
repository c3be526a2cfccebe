import { fromBytes, networkOf, sameAddress, widthOf, type Address } from '../../common/core/ip-address.ts';

/** The EDNS client subnet of a query (RFC 7871). */
export interface ClientSubnet {
  /** The network's address; undefined where the client asked not to be tailored to. */
  readonly address: Address | undefined;
  /** The option as it came, to be echoed with its scope set. */
  readonly data: Buffer;
}

const FAMILIES: Readonly<Record<number, 4 | 6>> = { 1: 4, 2: 6 };
const HEAD_BYTES = 4;

/**
 * Reads the option's data; undefined where it is malformed, which is answered FORMERR: a family that is not known, a
 * scope in a query, an address of another length than the source needs, bits beyond the source.
 */
export function parseClientSubnet(data: Buffer): ClientSubnet | undefined {
  if (data.length < HEAD_BYTES) return undefined;
  const familyCode = data.readUInt16BE(0);
  const sourceLength = data.readUInt8(2);
  // RFC 7871 §6: SCOPE must be 0 in queries.
  if (data.readUInt8(3) !== 0 || data.length !== HEAD_BYTES + Math.ceil(sourceLength / 8)) return undefined;
  // RFC 7871 §7.1.2: source 0 asks not to be tailored to; clients send it with family 0 too.
  if (sourceLength === 0) return familyCode <= 2 ? { address: undefined, data } : undefined;
  const family = FAMILIES[familyCode];
  if (family === undefined || sourceLength > widthOf(family)) return undefined;
  const bytes = Buffer.alloc(widthOf(family) / 8);
  data.copy(bytes, 0, HEAD_BYTES);
  const address = fromBytes(bytes);
  return sameAddress(networkOf(address, sourceLength), address) ? { address, data } : undefined;
}

/** The option of the reply: family, source and address as asked, and the scope for which the answer holds. */
export function echoClientSubnet(subnet: ClientSubnet, scopeLength: number): Buffer {
  const data = Buffer.from(subnet.data);
  data.writeUInt8(subnet.address === undefined ? 0 : scopeLength, 3);
  return data;
}

import { encode, type Answer } from 'dns-packet';
import { parseAddress } from '../../common/core/ip-address.ts';
import { copyBytes, headerBytes, putUint16, putUint32, rrTypes } from './wire.ts';
import type { ZoneNode } from './zone.ts';

/** Records of one name and type as they stand in a reply; each one's owner is a pointer to the question's name. */
export interface RecordSet {
  readonly bytes: Uint8Array;
  /** Where each record begins. */
  readonly starts: readonly number[];
}

/** Where a record that begins with a pointer has its TTL and its data. */
const TTL_AT = 6;
const DATA_AT = 12;
const POINTER_TO_QUESTION = 0xc000 | headerBytes;
const HTTPS_PORT = 443;
const DOT = 0x2e;
/** RFC 9460 §14.3.2. */
const svcParams = { port: 3, ipv4hint: 4, ipv6hint: 6 } as const;

/** Writes records, whose names do not matter; undefined where there are none. dns-packet knows how each type is written. */
export function recordSet(records: readonly Answer[]): RecordSet | undefined {
  if (records.length === 0) return undefined;
  const starts: number[] = [];
  const parts: Buffer[] = [];
  let at = 0;
  for (const record of records) {
    // The root's name is one byte, which the pointer replaces.
    const written = encode({ type: 'response', answers: [{ ...record, name: '.' }] }).subarray(
      headerBytes + 1,
    );
    const pointer = Buffer.alloc(2);
    putUint16(pointer, 0, POINTER_TO_QUESTION);
    starts.push(at);
    parts.push(pointer, written);
    at += pointer.length + written.length;
  }
  return { bytes: Buffer.concat(parts), starts };
}

/** A name of ASCII letters as it stands on the wire: each label behind its length. By hand, since a map has thousands. */
export function wireName(name: string): Uint8Array {
  const wire = Buffer.alloc(name.length + 2);
  wire.write(name, 1, 'latin1');
  let lengthAt = 0;
  for (let at = 1; at < wire.length; at++) {
    if (wire[at] !== DOT && at < wire.length - 1) continue;
    wire[lengthAt] = at - lengthAt - 1;
    lengthAt = at;
  }
  return wire;
}

/** Copies a set to `out` and returns where it ends there; the records get `ttlS`. */
export function copySet(set: RecordSet, out: { bytes: Uint8Array; at: number }, ttlS: number): number {
  const end = copyBytes(out.bytes, out.at, set.bytes);
  for (const start of set.starts) putUint32(out.bytes, out.at + start + TTL_AT, ttlS);
  return end;
}

/** Makes a copied set's record belong to the name that begins at `nameAt` of the packet. */
export function putOwner(out: Uint8Array, at: number, nameAt: number): void {
  putUint16(out, at, 0xc000 | nameAt);
}

/** Sets the priority of a copied HTTPS record: 1 is the first choice (RFC 9460 §2.4.1). */
export function putPriority(out: Uint8Array, at: number, priority: number): void {
  putUint16(out, at + DATA_AT, priority);
}

/** The records of a node, each set made when it is first asked for. */
export class NodeRecords {
  readonly #node: ZoneNode;
  readonly #name: string;
  readonly #ttlS: number;
  #a: RecordSet | undefined;
  #aaaa: RecordSet | undefined;
  #https: RecordSet | undefined;
  #alternative: RecordSet | undefined;

  /** @param name The node's own name, with the zone. */
  constructor(node: ZoneNode, name: string, ttlS: number) {
    this.#node = node;
    this.#name = name;
    this.#ttlS = ttlS;
  }

  /** What the node's own name has of a type. */
  of(type: number): RecordSet | undefined {
    const { addresses } = this.#node;
    if (type === rrTypes.a) return (this.#a ??= addressSet(addresses, type, this.#ttlS));
    if (type === rrTypes.aaaa) return (this.#aaaa ??= addressSet(addresses, type, this.#ttlS));
    if (type === rrTypes.https)
      return (this.#https ??= httpsSet(this.#node, { target: '.', ttlS: this.#ttlS }));
    return undefined;
  }

  /** What a steered name has of a type where this is one of its nodes: for HTTPS an alternative with the node's name. */
  steered(type: number): RecordSet | undefined {
    if (type !== rrTypes.https) return this.of(type);
    return (this.#alternative ??= httpsSet(this.#node, { target: this.#name, ttlS: this.#ttlS }));
  }
}

/** A or AAAA records. */
export function addressSet(
  addresses: Readonly<Record<4 | 6, readonly string[]>>,
  type: number,
  ttlS: number,
): RecordSet | undefined {
  const isA = type === rrTypes.a;
  return recordSet(
    addresses[isA ? 4 : 6].map((data) => ({ type: isA ? 'A' : 'AAAA', name: '.', ttl: ttlS, data })),
  );
}

/**
 * The HTTPS record (RFC 9460) of a node that speaks HTTPS: its port where that is another than 443, and its addresses as
 * hints. `alpn` stays out: http/1.1 is what it then means, and all that every box speaks.
 */
function httpsSet(
  { httpsPort, addresses }: ZoneNode,
  of: { target: string; ttlS: number },
): RecordSet | undefined {
  if (httpsPort === undefined) return undefined;
  const port = Buffer.alloc(2);
  port.writeUInt16BE(httpsPort);
  const params = [
    ...(httpsPort === HTTPS_PORT ? [] : [param(svcParams.port, port)]),
    ...hints(svcParams.ipv4hint, addresses[4]),
    ...hints(svcParams.ipv6hint, addresses[6]),
  ];
  const priority = Buffer.from([0, 1]);
  const data = Buffer.concat([
    priority,
    of.target === '.' ? Buffer.alloc(1) : wireName(of.target),
    ...params,
  ]);
  // dns-packet has no codec of this type, and passes the data of one that it does not know.
  return recordSet([
    { type: `UNKNOWN_${rrTypes.https}`, name: '.', ttl: of.ttlS, data } as unknown as Answer,
  ]);
}

function hints(key: number, addresses: readonly string[]): Buffer[] {
  const parsed = addresses.map(parseAddress).filter((address) => address !== undefined);
  if (parsed.length === 0) return [];
  const bytes = Buffer.alloc(parsed.reduce((sum, { words }) => sum + words.length * 4, 0));
  parsed.flatMap(({ words }) => words).forEach((word, at) => putUint32(bytes, at * 4, word));
  return [param(key, bytes)];
}

function param(key: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(key);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
}

import type { Answer } from 'dns-packet';
import type { NodeChallenge } from '../../common/contract/certificates.ts';
import { formatAddress, parseAddress } from '../../common/core/ip-address.ts';
import { assert } from '../../common/runtime/errors.ts';
import { shardDigits } from '../core/bundle-shard.ts';
import { addressSet, NodeRecords, recordSet, wireName, type RecordSet } from './records.ts';
import type { Query } from './query.ts';
import { hashByte, hashStart, rrTypes } from './wire.ts';
import type { ZoneContent, ZoneOptions } from './zone.ts';

/** What a name of the zone has. */
export interface ZoneName {
  /** In lower case, as on the wire. */
  readonly wire: Uint8Array;
  readonly hash: number;
  /** `steered`: who serves the client; `fixed`: the same for all; `empty`: only names below it. */
  readonly kind: 'steered' | 'fixed' | 'empty';
  /** Its fixed records of a type. */
  readonly of: (type: number) => RecordSet | undefined;
  /** Another name with the same hash. */
  next: ZoneName | undefined;
}

const STATIC_TTL_S = 3600;
const SHARD_LABEL_BYTES = 1 + shardDigits;
const NOT_HEX = 16;

/** Every name of the zone under one map, found by the bytes of a query. */
export class ZoneNames {
  /** By index of the content's nodes. */
  readonly nodes: readonly NodeRecords[];
  /** For the authority section of what is not there (RFC 2308 §3); its owner is yet to be set. */
  readonly soa: RecordSet;
  /** The shard in the name that was found last. */
  shard: number | undefined;
  readonly #apex: Uint8Array;
  readonly #byHash = new Map<number, ZoneName>();

  constructor(options: ZoneOptions, { serial, nodes, challenges }: ZoneContent) {
    const zone = options.zone.toLowerCase();
    this.#apex = wireName(zone);
    this.soa = soaSet(options, serial, options.negativeTtlS);
    this.nodes = nodes.map((node) => new NodeRecords(node, `${node.id}.${zone}`, options.nodeTtlS));
    this.#add(zone, 'fixed', apexRecords(options, serial));
    this.#addServers(options);
    for (const name of options.steeredNames)
      this.#add(
        `${name.toLowerCase()}.${zone}`,
        'steered',
        withAny(() => undefined),
      );
    nodes.forEach(({ id }, index) => {
      this.#add(
        `${id}.${zone}`,
        'fixed',
        withAny((type) => this.nodes[index]?.of(type)),
      );
    });
    this.#addChallenges(challenges, zone, options.negativeTtlS);
  }

  /** RFC 8555 §8.4: an ACME server finds here that a node's name is the node's. */
  #addChallenges(challenges: readonly NodeChallenge[], zone: string, ttl: number): void {
    for (const { node, values } of challenges) {
      const set = recordSet(values.map((data): Answer => ({ type: 'TXT', name: '.', ttl, data })));
      this.#add(
        `_acme-challenge.${node}.${zone}`,
        'fixed',
        withAny((type) => (type === rrTypes.txt ? set : undefined)),
      );
    }
  }

  /** Where the zone's own name begins in a query's; -1 where that is none of the zone's. */
  apexAt({ name, nameBytes }: Query): number {
    const start = nameBytes - this.#apex.length;
    let at = 0;
    while (at < start) at += 1 + (name[at] ?? 0);
    return at === start && isSame(this.#apex, name, start) ? start : -1;
  }

  /** The name of a query, which must have been read; undefined where it does not exist. */
  find({ name, nameBytes, nameHash }: Query): ZoneName | undefined {
    this.shard = undefined;
    const found = this.#at(nameHash, name, 0);
    if (found !== undefined) return found;
    const shard = shardIn(name);
    if (shard === undefined) return undefined;
    const steered = this.#at(hashOf(name, SHARD_LABEL_BYTES, nameBytes), name, SHARD_LABEL_BYTES);
    if (steered?.kind !== 'steered') return undefined;
    this.shard = shard;
    return steered;
  }

  /** The name of this hash that stands at `from`; the empty label at its end makes it the whole of what stands there. */
  #at(hash: number, name: Uint8Array, from: number): ZoneName | undefined {
    let found = this.#byHash.get(hash);
    while (found !== undefined && !isSame(found.wire, name, from)) found = found.next;
    return found;
  }

  #addServers({ servers, serverAddresses, zone, nodeTtlS }: ZoneOptions): void {
    const addresses: Record<4 | 6, string[]> = { 4: [], 6: [] };
    for (const text of serverAddresses) {
      const address = parseAddress(text);
      if (address !== undefined) addresses[address.family].push(formatAddress(address));
    }
    const a = addressSet(addresses, rrTypes.a, nodeTtlS);
    const aaaa = addressSet(addresses, rrTypes.aaaa, nodeTtlS);
    const records = withAny((type) => (type === rrTypes.a ? a : type === rrTypes.aaaa ? aaaa : undefined));
    const under = `.${zone.toLowerCase()}`;
    for (const server of servers.map((name) => name.toLowerCase()))
      if (server.endsWith(under)) this.#add(server, 'fixed', records);
  }

  /** Adds a name, and those above it in which it stands; who comes first stays, but for an empty one. */
  #add(name: string, kind: ZoneName['kind'], of: ZoneName['of']): void {
    const wire = wireName(name);
    const hash = hashOf(wire, 0, wire.length);
    const held = this.#at(hash, wire, 0);
    if (held !== undefined && (held.kind !== 'empty' || kind === 'empty')) return;
    this.#byHash.set(hash, { wire, hash, kind, of, next: this.#byHash.get(hash) });
    const above = name.slice(name.indexOf('.') + 1);
    // The zone itself came first.
    if (wire.length - 1 - (wire[0] ?? 0) > this.#apex.length) this.#add(above, 'empty', () => undefined);
  }
}

function apexRecords(options: ZoneOptions, serial: number): ZoneName['of'] {
  const ttl = STATIC_TTL_S;
  const soa = soaSet(options, serial, STATIC_TTL_S);
  const ns = recordSet(
    options.servers.map((data): Answer => ({ type: 'NS', name: '.', ttl, data: data.toLowerCase() })),
  );
  const issuers = options.issuers.map((value): Answer => ({
    type: 'CAA',
    name: '.',
    ttl,
    data: { flags: 0, tag: 'issue', value },
  }));
  const caa = recordSet(issuers);
  const sets = new Map([
    [rrTypes.soa, soa],
    [rrTypes.ns, ns],
    [rrTypes.caa, caa],
  ] as const) as ReadonlyMap<number, RecordSet | undefined>;
  return withAny((type) => sets.get(type));
}

/** RFC 8482 §4.2: one HINFO in place of everything. */
const refusedAny = recordSet([
  { type: 'HINFO', name: '.', ttl: STATIC_TTL_S, data: { cpu: 'RFC8482', os: '' } },
]);

function withAny(of: ZoneName['of']): ZoneName['of'] {
  return (type) => (type === rrTypes.any ? refusedAny : of(type));
}

/** RFC 2308 §5: what is not there is remembered for the lesser of the SOA's TTL and its minimum. */
function soaSet({ zone, servers, negativeTtlS }: ZoneOptions, serial: number, ttlS: number): RecordSet {
  const mname = servers[0] ?? zone;
  const times = { refresh: 3600, retry: 600, expire: 86_400, minimum: negativeTtlS };
  const data = { mname, rname: `hostmaster.${zone}`, serial: serial % 2 ** 32, ...times };
  const set = recordSet([{ type: 'SOA', name: '.', ttl: ttlS, data }]);
  assert(set !== undefined, 'a record makes a set');
  return set;
}

function hashOf(name: Uint8Array, from: number, end: number): number {
  let hash = hashStart;
  for (let at = from; at < end; at++) hash = hashByte(hash, name[at] ?? 0);
  return hash;
}

/** Whether all of `wire` stands in `name` at `from`. */
function isSame(wire: Uint8Array, name: Uint8Array, from: number): boolean {
  for (let at = 0; at < wire.length; at++) if (wire[at] !== name[from + at]) return false;
  return true;
}

/** The number in the first label, where that is a shard's. */
function shardIn(name: Uint8Array): number | undefined {
  if (name[0] !== shardDigits) return undefined;
  let shard = 0;
  for (let at = 1; at < SHARD_LABEL_BYTES; at++) {
    const digit = hexDigit(name[at] ?? 0);
    if (digit === NOT_HEX) return undefined;
    shard = shard * 16 + digit;
  }
  return shard;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : NOT_HEX;
}

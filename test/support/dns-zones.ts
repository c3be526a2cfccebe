import { decode, encode, type DecodedPacket, type Question } from 'dns-packet';
import { formatAddress, type Address } from '../../common/core/ip-address.ts';
import { Cookies } from '../../steering/dns/cookies.ts';
import type { RateLimit } from '../../steering/dns/rate-limit.ts';
import { createReplyCounts, type ReplyCounts } from '../../steering/dns/reply-counts.ts';
import { Responder, type Transport } from '../../steering/dns/responder.ts';
import type { Steered, ZoneContent, ZoneNode, ZoneOptions, ZoneSource } from '../../steering/dns/zone.ts';
import { address } from './steering-maps.ts';

const node = (id: string, addresses: [four: string[], six: string[]], httpsPort?: number): ZoneNode => ({
  id,
  addresses: { 4: addresses[0], 6: addresses[1] },
  httpsPort,
});

export const content: ZoneContent = {
  serial: 77,
  challenges: [{ node: 'isp-a-1', values: ['a'.repeat(43), 'b'.repeat(43)] }],
  nodes: [
    node('isp-a-1', [['192.0.2.1'], ['2001:db8::1']], 8443),
    node('isp-b-1', [['192.0.2.2'], []], 443),
    node('rack.one', [['192.0.2.3'], []]),
  ],
};

/** The shard that leads to the third node, wherever the client is. */
export const thirdShard = 0xabcde;

function steer(client: Address | undefined, _family: 4 | 6, shard: number | undefined): Steered {
  if (shard === thirdShard) return { nodes: [2], scopeLength: 0, ttlS: 20 };
  const text = client === undefined ? '' : formatAddress(client);
  const isA = text.startsWith('10.') || text.startsWith('2001:db8:');
  return { nodes: [isA ? 0 : 1], scopeLength: isA ? (client?.family === 4 ? 8 : 32) : 5, ttlS: 20 };
}

/** Steers 10.0.0.0/8 (scope 8) and 2001:db8::/32 (scope 32) to isp-a-1, everybody else to isp-b-1. */
export const source: ZoneSource = { content: () => content, expect: () => undefined, steer };

export const zoneOptions: ZoneOptions = {
  zone: 'steer.nearcast.test',
  steeredNames: ['play'],
  servers: ['ns1.steer.nearcast.test'],
  serverAddresses: ['127.0.0.1'],
  issuers: ['ca.example'],
  nodeTtlS: 60,
  negativeTtlS: 5,
};

export interface AskerOptions {
  readonly more?: Partial<ZoneSource>;
  readonly transport?: Transport;
  readonly limit?: RateLimit;
  readonly counts?: ReplyCounts;
  readonly nowS?: () => number;
}

/** Answers packets as one resolver after the other asks them; undefined where nothing is sent. */
export type Asker = (packet: Uint8Array, resolver?: string) => Buffer | undefined;

export function createAsker(options: AskerOptions = {}): Asker {
  const { transport = 'udp', nowS = () => 1_000_000 } = options;
  const responder = new Responder({
    transport,
    zone: zoneOptions,
    source: { ...source, ...options.more },
    cookies: new Cookies(Buffer.alloc(32, 1)),
    limit: options.limit,
    counts: options.counts ?? createReplyCounts(),
  });
  // Something stands before and behind, as in a batch.
  const out = new Uint8Array(0xffff + 8);
  return (packet, resolver = '10.0.0.53') => {
    responder.begin({ nowMs: nowS() * 1000, monotonicMs: nowS() * 1000 });
    const around = Buffer.concat([Buffer.alloc(5, 0xee), packet, Buffer.alloc(5, 0xee)]);
    const place = { packet: around, start: 5, end: 5 + packet.length };
    const bytes = responder.respond({ ...place, resolver: address(resolver), out, outAt: 4 });
    return bytes === 0 ? undefined : Buffer.from(out.subarray(4, 4 + bytes));
  };
}

/** The data of an ECS option. */
export function ecs(family: number, sourceLength: number, bytes: readonly number[]): Buffer {
  return Buffer.from([0, family, sourceLength, 0, ...bytes]);
}

interface QueryOptions {
  type?: string;
  id?: number;
  classCode?: number;
  /** Data of ECS options; an empty list asks with EDNS and no option. */
  subnets?: readonly Buffer[];
  cookie?: Buffer;
  version?: number;
  udpPayloadSize?: number;
}

export function queryPacket(name: string, options: QueryOptions = {}): Buffer {
  const { subnets, cookie, type = 'A', id = 4242, classCode = 1 } = options;
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: options.udpPayloadSize ?? 4096,
    extendedRcode: 0,
    ednsVersion: options.version ?? 0,
    flags: 0,
    options: [
      ...(subnets ?? []).map((data) => ({ code: 'CLIENT_SUBNET', data })),
      ...(cookie === undefined ? [] : [{ code: 'COOKIE', data: cookie }]),
    ],
  };
  const packet = encode({
    id,
    type: 'query',
    flags: 256,
    questions: [{ name, type } as Question],
    additionals:
      subnets === undefined && cookie === undefined && options.version === undefined ? [] : [opt as never],
  });
  packet.writeUInt16BE(classCode, 12 + name.length + 2 + 2);
  return packet;
}

/** A reply, decoded, with what a test wants to see of it. */
export function readReply(packet: Buffer) {
  const decoded = decode(packet) as DecodedPacket & { rcode: string; flag_aa: boolean; flag_tc: boolean };
  const opt = decoded.additionals?.find((record) => record.type === 'OPT');
  const optionOf = (code: number): number[] | undefined => {
    const option =
      opt?.type === 'OPT' ? opt.options.find((each) => (each.code as unknown) === code) : undefined;
    return option !== undefined && 'data' in option ? [...(option.data ?? [])] : undefined;
  };
  return {
    rcode: decoded.rcode,
    extendedRcode: opt?.type === 'OPT' ? opt.extendedRcode : undefined,
    authoritative: decoded.flag_aa,
    truncated: decoded.flag_tc,
    id: decoded.id,
    name: decoded.questions?.[0]?.name,
    answers: (decoded.answers ?? []).map((record) =>
      'data' in record ? `${record.type} ${textOf(record.data)}` : '',
    ),
    authorities: (decoded.authorities ?? []).map((record) => record.type),
    hasOpt: opt !== undefined,
    subnet: optionOf(8),
    cookie: optionOf(10),
  };
}

function textOf(data: unknown): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

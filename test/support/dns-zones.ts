import { decode, encode, type DecodedPacket, type Question } from 'dns-packet';
import { formatAddress } from '../../common/core/ip-address.ts';
import { createZone, type Zone, type ZoneSource } from '../../steering/dns/zone.ts';

export const nodes: Record<string, Record<4 | 6, string[]>> = {
  'isp-a-1': { 4: ['192.0.2.1'], 6: ['2001:db8::1'] },
  'isp-b-1': { 4: ['192.0.2.2'], 6: [] },
  'rack.one': { 4: ['192.0.2.3'], 6: [] },
};

/** Steers 10.0.0.0/8 (scope 8) and 2001:db8::/32 (scope 32) to isp-a-1, everybody else to isp-b-1. */
export const source: ZoneSource = {
  steer: (client, family) => {
    const text = client === undefined ? '' : formatAddress(client);
    const isA = text.startsWith('10.') || text.startsWith('2001:db8:');
    return {
      addresses: nodes[isA ? 'isp-a-1' : 'isp-b-1']?.[family] ?? [],
      scopeLength: isA ? (client?.family === 4 ? 8 : 32) : 5,
      ttlS: 20,
    };
  },
  nodeAddresses: (id) => nodes[id],
  nodeIds: () => Object.keys(nodes),
  serial: () => 77,
};

export const makeZone = (more: Partial<ZoneSource> = {}): Zone =>
  createZone(
    {
      zone: 'steer.nearcast.test',
      steeredNames: ['play'],
      servers: ['ns1.steer.nearcast.test'],
      serverAddresses: ['127.0.0.1'],
      nodeTtlS: 60,
      negativeTtlS: 5,
    },
    { ...source, ...more },
  );

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
  version?: number;
  udpPayloadSize?: number;
}

export function queryPacket(name: string, options: QueryOptions = {}): Buffer {
  const { subnets, type = 'A', id = 4242, classCode = 1 } = options;
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: options.udpPayloadSize ?? 4096,
    extendedRcode: 0,
    ednsVersion: options.version ?? 0,
    flags: 0,
    options: (subnets ?? []).map((data) => ({ code: 'CLIENT_SUBNET', data })),
  };
  const packet = encode({
    id,
    type: 'query',
    flags: 256,
    questions: [{ name, type } as Question],
    additionals: subnets === undefined && options.version === undefined ? [] : [opt as never],
  });
  packet.writeUInt16BE(classCode, 12 + name.length + 2 + 2);
  return packet;
}

/** A reply, decoded, with what a test wants to see of it. */
export function readReply(packet: Buffer) {
  const decoded = decode(packet) as DecodedPacket & { rcode: string; flag_aa: boolean; flag_tc: boolean };
  const opt = decoded.additionals?.find((record) => record.type === 'OPT');
  const subnet = opt?.type === 'OPT' ? opt.options[0] : undefined;
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
    subnet: subnet !== undefined && 'data' in subnet ? [...(subnet.data ?? [])] : undefined,
  };
}

function textOf(data: unknown): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

import { encode, type Answer } from 'dns-packet';
import type { Address } from '../../common/core/ip-address.ts';
import { echoClientSubnet } from './ecs.ts';
import { rcodes, readQuery, type Edns, type Incoming, type Rcode } from './query.ts';
import type { Zone, ZoneReply } from './zone.ts';

/** How a packet came: what its reply may weigh. */
export type Transport = 'udp' | 'tcp';

/** Largest UDP reply: what passes every path without fragments (DNS Flag Day 2020). */
export const udpReplyBytesMax = 1232;
const PLAIN_UDP_BYTES_MAX = 512;
const HEADER_BYTES = 12;
const RESPONSE_BIT = 0x8000;
const AUTHORITATIVE_BIT = 0x0400;
const TRUNCATED_BIT = 0x0200;
const DNSSEC_OK_BIT = 0x8000;

export interface Reply {
  /** Undefined: nothing is sent. */
  readonly packet: Buffer | undefined;
  readonly rcode: Rcode | undefined;
}

/** Answers a packet of whatever content. Never throws: what cannot be answered otherwise is SERVFAIL. */
export function respond(
  zone: Zone,
  packet: Buffer,
  from: { resolver: Address; transport: Transport },
): Reply {
  const incoming = readQuery(packet);
  if (incoming.kind === 'ignore') return { packet: undefined, rcode: undefined };
  if (incoming.kind === 'error') return write(incoming, failure(incoming.rcode), from.transport);
  const { question, edns } = incoming;
  const subnet = edns?.clientSubnet;
  try {
    const client = subnet === undefined ? from.resolver : subnet.address;
    return write(incoming, zone.answer(question, client), from.transport);
  } catch {
    return write(incoming, failure(rcodes.servFail), from.transport);
  }
}

type Answerable = Exclude<Incoming, { kind: 'ignore' }>;

function failure(rcode: Rcode): ZoneReply {
  return { rcode, authoritative: false, answers: [], authorities: [], scopeLength: 0 };
}

function write(incoming: Answerable, reply: ZoneReply, transport: Transport): Reply {
  const { edns } = incoming;
  const whole = assemble(incoming, reply, 0);
  const limit =
    transport === 'tcp' ? 0xffff : Math.min(edns?.udpPayloadBytes ?? PLAIN_UDP_BYTES_MAX, udpReplyBytesMax);
  if (whole.length <= limit) return { packet: whole, rcode: reply.rcode };
  const cut = assemble(incoming, { ...reply, answers: [], authorities: [] }, TRUNCATED_BIT);
  return { packet: cut, rcode: reply.rcode };
}

/** The question goes back byte for byte as it came; dns-packet writes the records, and never points back into it. */
function assemble(incoming: Answerable, reply: ZoneReply, moreFlags: number): Buffer {
  const { id, echoedFlags, question, edns } = incoming;
  const flags =
    RESPONSE_BIT |
    echoedFlags |
    moreFlags |
    (reply.authoritative ? AUTHORITATIVE_BIT : 0) |
    // RFC 6891 §6.1.3: the upper bits of the code stand in the OPT.
    (reply.rcode & 0xf);
  const records = encode({
    id,
    type: 'response',
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: edns === undefined ? [] : [optOf(edns, reply)],
  });
  const header = records.subarray(0, HEADER_BYTES);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(question === undefined ? 0 : 1, 4);
  return Buffer.concat([header, question?.raw ?? Buffer.alloc(0), records.subarray(HEADER_BYTES)]);
}

function optOf({ clientSubnet, dnssecOk }: Edns, reply: ZoneReply): Answer {
  const options =
    clientSubnet === undefined
      ? []
      : [{ code: 'CLIENT_SUBNET' as const, data: echoClientSubnet(clientSubnet, reply.scopeLength) }];
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: udpReplyBytesMax,
    extendedRcode: reply.rcode >> 4,
    ednsVersion: 0,
    flags: dnssecOk ? DNSSEC_OK_BIT : 0,
    flag_do: dnssecOk,
    options: options as never,
  };
}

import { decode } from 'dns-packet';
import { Query, readQuery } from '../../steering/dns/query.ts';
import { createAsker, ecs, queryPacket } from './dns-zones.ts';
import { pick, seededRandom } from './seeded.ts';

/** What a fuzz run saw: packets by what became of them. `wrong` counts those that broke a rule. */
export interface DnsFuzzTally {
  readonly replies: Map<string, number>;
  ignored: number;
  /** Packets whose reply was compared with that to the same query in the shape that the other reader reads. */
  compared: number;
  wrong: number;
  /** The first that broke a rule, in hexadecimal, with the rule. */
  finding: string | undefined;
}

type Random = () => number;

const zone = 'steer.nearcast.test';
const names = [
  'play',
  'PlaY',
  'abcde.play',
  '0ffff.play',
  'isp-a-1',
  'isp-b-1',
  'rack.one',
  'one',
  'ns1',
  'nobody',
];
const types = ['A', 'AAAA', 'UNKNOWN_65', 'TXT', 'SOA', 'NS', 'CAA', 'ANY', 'AXFR', 'UNKNOWN_4711'];
const askers = { udp: createAsker(), tcp: createAsker({ transport: 'tcp' }) };
const headerBytes = 12;
const plainUdpBytesMax = 512;
const udpBytesMax = 1232;
const responseBit = 0x80;

/** Answers mutated queries; the same seed does the same. */
export function fuzzDns({ seed, count }: { seed: number; count: number }): DnsFuzzTally {
  const random = seededRandom(seed);
  const tally: DnsFuzzTally = { replies: new Map(), ignored: 0, compared: 0, wrong: 0, finding: undefined };
  for (let round = 0; round < count; round++) {
    const packet = random() < 0.02 ? noise(random) : mutate(makeQuery(random), random);
    const broken = judge(packet, random() < 0.5 ? 'udp' : 'tcp', tally);
    if (broken === undefined) continue;
    tally.wrong++;
    tally.finding ??= `${broken}: ${packet.toString('hex')}`;
  }
  return tally;
}

/** @returns the rule that the reply breaks, if any. */
function judge(packet: Buffer, transport: 'udp' | 'tcp', tally: DnsFuzzTally): string | undefined {
  try {
    const reply = askers[transport](packet);
    const isReply = packet.length < headerBytes || (packet.readUInt8(2) & responseBit) !== 0;
    if (reply === undefined || isReply) {
      tally.ignored++;
      return reply === undefined && isReply ? undefined : 'exactly replies and stumps are ignored';
    }
    const decoded = decode(reply) as unknown as { rcode: string };
    tally.replies.set(decoded.rcode, (tally.replies.get(decoded.rcode) ?? 0) + 1);
    return formRule(packet, reply, transport) ?? compare(packet, { reply, transport, tally });
  } catch (error) {
    return `nothing is thrown (${String(error)})`;
  }
}

function formRule(packet: Buffer, reply: Buffer, transport: 'udp' | 'tcp'): string | undefined {
  if (decode.bytes !== reply.length) return 'a reply has nothing behind its records';
  if (reply.readUInt16BE(0) !== packet.readUInt16BE(0)) return 'the id comes back';
  if ((reply.readUInt8(2) & responseBit) === 0) return 'a reply says that it is one';
  if (((reply.readUInt8(2) ^ packet.readUInt8(2)) & 0x79) !== 0) return 'opcode and RD come back';
  const hasOpt = reply.readUInt16BE(10) === 1;
  const bytesMax = transport === 'tcp' ? 0xffff : hasOpt ? udpBytesMax : plainUdpBytesMax;
  if (reply.length > bytesMax) return 'a datagram is no larger than may be sent';
  if (reply.readUInt16BE(4) === 0) return undefined;
  const question = questionOf(reply);
  return packet.subarray(headerBytes, headerBytes + question.length).equals(question)
    ? undefined
    : 'the question comes back byte for byte';
}

function questionOf(packet: Buffer): Buffer {
  let at = headerBytes;
  while ((packet[at] ?? 0) !== 0) at += 1 + (packet[at] ?? 0);
  return packet.subarray(headerBytes, at + 5);
}

/** The same query with a record of an unknown type before its OPT is read by dns-packet, and has the same reply. */
function compare(
  packet: Buffer,
  { reply, transport, tally }: { reply: Buffer; transport: 'udp' | 'tcp'; tally: DnsFuzzTally },
): string | undefined {
  const query = new Query();
  query.take(packet, 0, packet.length);
  if (readQuery(query) !== 'read' || query.rcode !== 0 || query.questionEnd === 0) return undefined;
  if (hasKnownOption(packet, query.questionEnd)) return undefined;
  const head = Buffer.from(packet.subarray(0, query.questionEnd));
  head.writeUInt16BE(head.readUInt16BE(10) + 1, 10);
  const odd = Buffer.concat([head, unknownRecord, packet.subarray(query.questionEnd)]);
  query.take(odd, 0, odd.length);
  if (readQuery(query) !== 'odd') return 'a second record is left to dns-packet';
  tally.compared++;
  return askers[transport](odd)?.equals(reply) === true ? undefined : 'both readers lead to one reply';
}

/** Whether an OPT has an option that dns-packet looks into, and does not take in every form: keep-alive, key tags. */
function hasKnownOption(packet: Buffer, optAt: number): boolean {
  for (let at = optAt + 11; at + 4 <= packet.length; at += 4 + packet.readUInt16BE(at + 2)) {
    const code = packet.readUInt16BE(at);
    if (code === 11 || code === 14) return true;
  }
  return false;
}

const unknownRecord = Buffer.from([0, 0xff, 0xfe, 0, 1, 0, 0, 0, 0, 0, 2, 7, 7]);

function makeQuery(random: Random): Buffer {
  const name = `${names[pick(random, names.length)] ?? ''}.${random() < 0.95 ? zone : 'example.com'}`;
  const type = types[pick(random, types.length)] ?? 'A';
  const edns = random() < 0.8;
  const subnets = random() < 0.6 ? [makeSubnet(random)] : [];
  const cookie = random() < 0.3 ? { cookie: Buffer.alloc([8, 16, 24, 40, 7][pick(random, 5)] ?? 8, 5) } : {};
  const more = edns
    ? { subnets, ...cookie, udpPayloadSize: pick(random, 5000), version: random() < 0.02 ? 1 : 0 }
    : {};
  return queryPacket(name, { id: pick(random, 65_536), type, ...more });
}

/** A client subnet that is mostly well-formed. */
function makeSubnet(random: Random): Buffer {
  const isV4 = random() < 0.6;
  const sourceLength = pick(random, isV4 ? 34 : 130);
  const bytes = Array.from({ length: Math.ceil(sourceLength / 8) }, () => pick(random, 256));
  const last = bytes.length - 1;
  if (last >= 0 && random() < 0.9) bytes[last] = (bytes[last] ?? 0) & (0xff << (-sourceLength & 7));
  return ecs(isV4 ? 1 : 2, sourceLength, bytes);
}

/** Changes a packet a little, or not at all: bytes, its length, a part twice. */
function mutate(packet: Buffer, random: Random): Buffer {
  const how = random();
  if (how < 0.3) return packet;
  const changed = Buffer.from(packet);
  const edits = 1 + pick(random, 4);
  for (let edit = 0; edit < edits; edit++) {
    const at = pick(random, changed.length);
    changed[at] = random() < 0.5 ? pick(random, 256) : (changed[at] ?? 0) ^ (1 << pick(random, 8));
  }
  if (how < 0.8) return changed;
  const cut = pick(random, changed.length + 1);
  if (how < 0.9) return changed.subarray(0, cut);
  return Buffer.concat([changed.subarray(0, cut), changed.subarray(pick(random, cut + 1))]);
}

function noise(random: Random): Buffer {
  return Buffer.from(Array.from({ length: pick(random, 200) }, () => pick(random, 256)));
}

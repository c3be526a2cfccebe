import { decode } from 'dns-packet';
import { parseClientSubnet, type ClientSubnet } from './ecs.ts';

/** Codes of the header that are answered here (RFC 1035 §4.1.1, RFC 6891 §9). */
export const rcodes = {
  ok: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

/** The one question of a query. */
export interface Question {
  /** Labels in lower case, as bytes read one to one; the root has none. */
  readonly labels: readonly string[];
  /** The name in the case in which it was asked. */
  readonly name: string;
  readonly type: number;
  readonly classCode: number;
  /** The question section as it came: echoed byte for byte, so that the asker's case survives (0x20). */
  readonly raw: Buffer;
}

export interface Edns {
  readonly udpPayloadBytes: number;
  /** DNSSEC OK, to be repeated in the reply (RFC 3225 §3). */
  readonly dnssecOk: boolean;
  readonly clientSubnet: ClientSubnet | undefined;
}

interface Head {
  readonly id: number;
  /** Opcode and the recursion-desired bit, as the reply repeats them. */
  readonly echoedFlags: number;
}

/** What came in: nothing to answer, something that gets an error, or a query. */
export type Incoming =
  | { readonly kind: 'ignore' }
  | (Head & {
      readonly kind: 'error';
      rcode: Rcode;
      question?: Question | undefined;
      edns?: Edns | undefined;
    })
  | (Head & { readonly kind: 'query'; question: Question; edns: Edns | undefined });

const HEADER_BYTES = 12;
const RESPONSE_BIT = 0x8000;
const OPCODE_BITS = 0x7800;
const RECURSION_DESIRED_BIT = 0x0100;
const NAME_BYTES_MAX = 255;
const EDNS_PAYLOAD_MIN = 512;
const bareEdns: Edns = { udpPayloadBytes: EDNS_PAYLOAD_MIN, dnssecOk: false, clientSubnet: undefined };
/** A query has an OPT, perhaps a signature, and for IXFR an SOA: thousands of records are there to keep us busy. */
const RECORDS_MAX = 4;

/**
 * Reads a packet, whatever it holds. Replies and what is shorter than a header are ignored: to answer them would make
 * loops and reflections.
 */
export function readQuery(packet: Buffer): Incoming {
  if (packet.length < HEADER_BYTES) return { kind: 'ignore' };
  const flags = packet.readUInt16BE(2);
  if ((flags & RESPONSE_BIT) !== 0) return { kind: 'ignore' };
  const head = { id: packet.readUInt16BE(0), echoedFlags: flags & (OPCODE_BITS | RECURSION_DESIRED_BIT) };
  const fail = (rcode: Rcode, more: { question?: Question; edns?: Edns } = {}): Incoming => ({
    kind: 'error',
    rcode,
    ...head,
    ...more,
  });
  if ((flags & OPCODE_BITS) !== 0) return fail(rcodes.notImp);
  const question = packet.readUInt16BE(4) === 1 ? readQuestion(packet) : undefined;
  if (question === undefined) return fail(rcodes.formErr);
  const records = [6, 8, 10].reduce((sum, at) => sum + packet.readUInt16BE(at), 0);
  if (records > RECORDS_MAX) return fail(rcodes.formErr, { question });
  const edns = readEdns(packet);
  if (edns === 'malformed') return fail(rcodes.formErr, { question });
  if (edns === 'bad-version') return fail(rcodes.badVers, { question, edns: bareEdns });
  if (edns === 'bad-option') return fail(rcodes.formErr, { question, edns: bareEdns });
  return { kind: 'query', question, edns, ...head };
}

function readQuestion(packet: Buffer): Question | undefined {
  const labels: string[] = [];
  const names: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = packet[at];
    // A question has nothing before it that a compression pointer could point to.
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    const label = packet.toString('latin1', at, at + length);
    at += length;
    if (label.length < length || at - HEADER_BYTES >= NAME_BYTES_MAX) return undefined;
    names.push(label);
    labels.push(label.toLowerCase());
  }
  if (at + 4 > packet.length) return undefined;
  const [type, classCode] = [packet.readUInt16BE(at), packet.readUInt16BE(at + 2)];
  return { labels, name: names.join('.'), type, classCode, raw: packet.subarray(HEADER_BYTES, at + 4) };
}

const CLIENT_SUBNET_OPTION = 8;

function readEdns(packet: Buffer): Edns | undefined | 'malformed' | 'bad-version' | 'bad-option' {
  let decoded;
  try {
    decoded = decode(packet);
  } catch {
    return 'malformed';
  }
  const { answers = [], authorities = [], additionals = [] } = decoded;
  // RFC 6891 §6.1.1: one OPT at most, in the additional section.
  if ([...answers, ...authorities].some((record) => record.type === 'OPT')) return 'malformed';
  const [opt, another] = additionals.filter((record) => record.type === 'OPT');
  if (opt === undefined) return undefined;
  if (another !== undefined || opt.name !== '.') return 'malformed';
  if (opt.ednsVersion !== 0) return 'bad-version';
  const subnets = opt.options.filter((option) => (option.code as unknown) === CLIENT_SUBNET_OPTION);
  const data = subnets[0] === undefined || !('data' in subnets[0]) ? undefined : subnets[0].data;
  const clientSubnet = data === undefined ? undefined : parseClientSubnet(data);
  if (subnets.length > 1 || (data !== undefined && clientSubnet === undefined)) return 'bad-option';
  return {
    udpPayloadBytes: Math.max(EDNS_PAYLOAD_MIN, opt.udpPayloadSize),
    dnssecOk: opt.flag_do,
    clientSubnet,
  };
}

import { isCookie } from './cookies.ts';
import { isClientSubnet } from './ecs.ts';
import {
  flagBits,
  hashByte,
  hashStart,
  headerBytes,
  optionCodes,
  rcodes,
  rrTypes,
  uint16At,
} from './wire.ts';

const NAME_BYTES_MAX = 255;
const LABEL_BYTES_MAX = 63;
const OPT_HEAD_BYTES = 11;
const OPTION_HEAD_BYTES = 4;
const PLAIN_UDP_BYTES_MAX = 512;

/**
 * A packet and what was read in it. One object reads all packets of a thread, one after the other, so that a query leaves
 * no garbage; numbers are offsets into `packet`, or into `options` for what an OPT holds.
 */
export class Query {
  packet: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** What is wrong with it; `rcodes.ok` where it is to be answered. */
  rcode = 0;
  id = 0;
  /** Opcode and the recursion-desired bit, as the reply repeats them. */
  echoedFlags = 0;
  /** Where the question ends; 0 where none could be read. */
  questionEnd = 0;
  type = 0;
  classCode = 0;
  /** The question's name as it is on the wire, in lower case, with the empty label at its end. */
  readonly name = new Uint8Array(NAME_BYTES_MAX);
  nameBytes = 0;
  /** Of the name's bytes, see `hashByte`. */
  nameHash = 0;
  hasEdns = false;
  /** What the asker takes by UDP. */
  payloadBytes = PLAIN_UDP_BYTES_MAX;
  dnssecOk = false;
  /** What holds the OPT's options: the packet itself, but for odd ones. */
  options: Uint8Array = this.packet;
  /** The client subnet's data; 0 where there is none. */
  subnetAt = 0;
  subnetBytes = 0;
  /** The cookie's data; 0 where there is none. */
  cookieAt = 0;
  cookieBytes = 0;

  /** Begins with a packet: the bytes from `start` to `end`. */
  take(packet: Uint8Array, start: number, end: number): void {
    this.packet = packet;
    this.start = start;
    this.end = end;
    this.rcode = rcodes.ok;
    this.questionEnd = 0;
    this.nameBytes = 0;
    this.type = 0;
    this.classCode = 0;
    this.forgetEdns();
  }

  forgetEdns(): void {
    this.hasEdns = false;
    this.payloadBytes = PLAIN_UDP_BYTES_MAX;
    this.dnssecOk = false;
    this.options = this.packet;
    this.subnetAt = 0;
    this.subnetBytes = 0;
    this.cookieAt = 0;
    this.cookieBytes = 0;
  }

  /** What is wrong, found behind the question: the reply has an OPT without options if there was one. */
  fail(rcode: number, hasEdns: boolean): void {
    this.forgetEdns();
    this.rcode = rcode;
    this.hasEdns = hasEdns;
  }
}

/** How a packet was read: nothing to answer; whole, or with its error; or of a shape that `readOddQuery` reads. */
export type Reading = 'ignore' | 'read' | 'odd';

/**
 * Reads the packet that the query has taken, where it has the shape that all but a few have: a header, one question, and
 * nothing or one OPT behind it. Replies, and what is shorter than a header, are ignored: to answer them would make loops
 * and reflections.
 */
export function readQuery(query: Query): Reading {
  const { packet, start, end } = query;
  if (end - start < headerBytes) return 'ignore';
  const flags = uint16At(packet, start + 2);
  if ((flags & flagBits.response) !== 0) return 'ignore';
  query.id = uint16At(packet, start);
  query.echoedFlags = flags & (flagBits.opcode | flagBits.recursionDesired);
  if ((flags & flagBits.opcode) !== 0) {
    query.rcode = rcodes.notImp;
    return 'read';
  }
  const questions = uint16At(packet, start + 4);
  const additionals = uint16At(packet, start + 10);
  const hasMore = uint16At(packet, start + 6) !== 0 || uint16At(packet, start + 8) !== 0 || additionals > 1;
  if (questions !== 1 || !readQuestion(query)) {
    if (hasMore || questions !== 0 || !isBareCookie(query)) query.fail(rcodes.formErr, false);
    return 'read';
  }
  if (hasMore) return 'odd';
  if (additionals === 0) return query.questionEnd === end ? 'read' : 'odd';
  return readOpt(query, query.questionEnd) ? 'read' : 'odd';
}

/** RFC 7873 §5.4: who only wants a cookie asks no question. */
function isBareCookie(query: Query): boolean {
  return readOpt(query, query.start + headerBytes) && query.rcode === rcodes.ok && query.cookieAt > 0;
}

function readQuestion(query: Query): boolean {
  const { packet, end, name } = query;
  const from = query.start + headerBytes;
  let at = from;
  let hash = hashStart;
  // Only lengths are looked at here: a label's bytes are copied whatever they are.
  for (let labelEnd = at; ; at++) {
    if (at >= end || at - from >= NAME_BYTES_MAX) return false;
    const byte = packet[at] ?? 0;
    // Lengths are below the letters, so that one rule makes lower case of both.
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    name[at - from] = lower;
    hash = hashByte(hash, lower);
    if (at !== labelEnd) continue;
    // A question has nothing before it that a compression pointer could point to.
    if (byte > LABEL_BYTES_MAX) return false;
    if (byte === 0) break;
    labelEnd = at + 1 + byte;
  }
  at++;
  if (at + 4 > end) return false;
  query.nameBytes = at - from;
  query.nameHash = hash;
  query.type = uint16At(packet, at);
  query.classCode = uint16At(packet, at + 2);
  query.questionEnd = at + 4;
  return true;
}

/** Reads the one OPT that ends the packet (RFC 6891 §6.1.2); false where this is something else. */
function readOpt(query: Query, at: number): boolean {
  const { packet, end } = query;
  const isOpt =
    at + OPT_HEAD_BYTES <= end &&
    packet[at] === 0 &&
    uint16At(packet, at + 1) === rrTypes.opt &&
    at + OPT_HEAD_BYTES + uint16At(packet, at + 9) === end;
  if (isOpt) readOptRecord(query, at, end);
  return isOpt;
}

/** Reads a whole OPT record out of `query.options`, which must stay as it is until the reply is written. */
export function readOptRecord(query: Query, start: number, end: number): void {
  const { options } = query;
  // RFC 6891 §6.1.3: the version is looked at before all else of it.
  if (options[start + 6] !== 0) {
    query.fail(rcodes.badVers, true);
    return;
  }
  query.hasEdns = true;
  query.payloadBytes = Math.max(PLAIN_UDP_BYTES_MAX, uint16At(options, start + 3));
  query.dnssecOk = (uint16At(options, start + 7) & flagBits.dnssecOk) !== 0;
  let at = start + OPT_HEAD_BYTES;
  while (at < end) {
    const data = at + OPTION_HEAD_BYTES;
    const bytes = uint16At(options, at + 2);
    if (data + bytes > end || !readOption(query, data, bytes)) {
      query.fail(rcodes.formErr, true);
      return;
    }
    at = data + bytes;
  }
}

/** Takes what it knows, leaves what it does not; false where an option is malformed. */
function readOption(query: Query, data: number, bytes: number): boolean {
  const code = uint16At(query.options, data - OPTION_HEAD_BYTES);
  if (code === optionCodes.clientSubnet) {
    if (query.subnetAt > 0) return false;
    query.subnetAt = data;
    query.subnetBytes = bytes;
    return isClientSubnet(query.options, data, bytes);
  }
  // RFC 7873 §5.2: of several cookies the first counts.
  if (code === optionCodes.cookie && query.cookieAt === 0) {
    query.cookieAt = data;
    query.cookieBytes = bytes;
    return isCookie(bytes);
  }
  return true;
}

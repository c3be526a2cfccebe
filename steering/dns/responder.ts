import type { Address } from '../../common/core/ip-address.ts';
import { Asked, isSteered, type Ask } from './asked.ts';
import { cookieReplyBytes, type Cookies } from './cookies.ts';
import { ZoneNames, type ZoneName } from './names.ts';
import { Query } from './query.ts';
import type { RateLimit } from './rate-limit.ts';
import { copySet, putOwner, putPriority, type RecordSet } from './records.ts';
import { countAt, type ReplyCounts } from './reply-counts.ts';
import { classIn, flagBits, headerBytes, optionCodes, putUint16, rcodes, rrTypes } from './wire.ts';
import type { ZoneContent, ZoneOptions, ZoneSource } from './zone.ts';

/** Largest UDP reply: what passes every path without fragments (DNS Flag Day 2020). */
export const udpReplyBytesMax = 1232;
const TCP_REPLY_BYTES_MAX = 0xffff;
const OPT_HEAD_BYTES = 11;
const OPTION_HEAD_BYTES = 4;
const NOT_EXISTING = 1;
const FAILED = 2;

/** How a packet came: what its reply may weigh, and whether its sender may be another. */
export type Transport = 'udp' | 'tcp';

export interface ResponderOptions {
  readonly transport: Transport;
  readonly zone: ZoneOptions;
  readonly source: ZoneSource;
  readonly cookies: Cookies;
  /** Undefined where senders are who they say. */
  readonly limit: RateLimit | undefined;
  readonly counts: ReplyCounts;
}

/** The present, read once for many packets. */
export interface Moment {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/**
 * Answers packets of whatever content, one after the other, in one thread. Records were written by dns-packet when their map
 * came; here only what differs from reply to reply is put around them: header, question, TTL, options.
 */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #bytesMax: number;
  /** What the packets of a batch ask; more of these are made where a batch is larger. */
  readonly #batch: Asked[] = [new Asked()];
  readonly #clients: Address[] = [];
  #content: ZoneContent | undefined;
  #names: ZoneNames;
  #moment: Moment = { nowMs: 0, monotonicMs: 0 };

  // What is being answered, and the reply that is being written.
  #query: Query = new Query();
  #client: Address | undefined;
  #out: Uint8Array = new Uint8Array(0);
  #base = 0;
  #at = 0;
  #recordsEnd = 0;
  #rcode = 0;
  #isAuthoritative = false;
  #isTruncated = false;
  #answers = 0;
  #authorities = 0;
  #scopeLength = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#bytesMax = options.transport === 'udp' ? udpReplyBytesMax : TCP_REPLY_BYTES_MAX;
    this.#names = new ZoneNames(options.zone, options.source.content());
  }

  /** Tells the time; and takes the names of a new map, if there is one. */
  begin(moment: Moment): void {
    this.#moment = moment;
    const content = this.#options.source.content();
    if (content === this.#content) return;
    this.#content = content;
    this.#names = new ZoneNames(this.#options.zone, content);
  }

  /** Answers. Never throws: what cannot be answered otherwise is SERVFAIL. @returns the reply's bytes; 0: nothing is sent. */
  respond(ask: Ask): number {
    const asked = this.#askedAt(0);
    asked.read(ask);
    return this.#reply(ask, asked);
  }

  /**
   * Answers the first packets of a batch, and tells how long each reply is. All are read before any is answered, so that what
   * is known of their clients is looked up for all at once: alone each of these waits for memory.
   */
  respondAll(asks: readonly Ask[], count: number, replyLengths: Int32Array): void {
    const clients = this.#clients;
    let clientCount = 0;
    for (let slot = 0; slot < count; slot++) {
      const ask = asks[slot];
      const asked = this.#askedAt(slot);
      if (ask === undefined) continue;
      asked.read(ask);
      if (asked.client !== undefined && asked.isForClient) clients[clientCount++] = asked.client;
    }
    this.#options.source.expect(clients, clientCount);
    for (let slot = 0; slot < count; slot++) {
      const ask = asks[slot];
      if (ask !== undefined) replyLengths[slot] = this.#reply(ask, this.#askedAt(slot));
    }
  }

  #askedAt(slot: number): Asked {
    return (this.#batch[slot] ??= new Asked());
  }

  #reply(ask: Ask, { isIgnored, query, client }: Asked): number {
    const { counts } = this.#options;
    if (isIgnored) return count(counts, countAt.ignored);
    this.#query = query;
    this.#client = client;
    this.#start(ask);
    const name = this.#locate();
    const verdict = this.#judge(ask, name);
    if (verdict === 'drop') return count(counts, countAt.dropped);
    if (verdict === 'slip') {
      count(counts, countAt.slipped);
      this.#isTruncated = true;
    } else if (this.#rcode === rcodes.ok && name !== undefined) this.#answer(name);
    else if (this.#rcode === rcodes.nxDomain) this.#writeNegative();
    return this.#finish(ask);
  }

  #start(ask: Ask): void {
    const query = this.#query;
    this.#out = ask.out;
    this.#base = ask.outAt;
    this.#rcode = query.rcode;
    this.#isAuthoritative = false;
    this.#isTruncated = false;
    this.#answers = 0;
    this.#authorities = 0;
    this.#scopeLength = 0;
    let at = ask.outAt + headerBytes;
    // The question goes back byte for byte, so that the asker's case survives (0x20).
    for (let from = query.start + headerBytes; from < query.questionEnd; from++)
      ask.out[at++] = query.packet[from] ?? 0;
    this.#at = at;
    const limit =
      this.#options.transport === 'tcp' ? this.#bytesMax : Math.min(query.payloadBytes, this.#bytesMax);
    this.#recordsEnd = ask.outAt + limit - optBytesOf(query);
  }

  /** Finds the name that is asked for; where there is none, the code says why. */
  #locate(): ZoneName | undefined {
    const query = this.#query;
    if (query.rcode !== rcodes.ok || query.questionEnd === 0) return undefined;
    const isTransfer = query.type === rrTypes.axfr || query.type === rrTypes.ixfr;
    const isOurs = query.classCode === classIn && !isTransfer;
    const name = isOurs ? this.#names.find(query) : undefined;
    this.#isAuthoritative = name !== undefined || (isOurs && this.#names.apexAt(query) >= 0);
    if (name === undefined) this.#rcode = this.#isAuthoritative ? rcodes.nxDomain : rcodes.refused;
    return name;
  }

  #judge({ resolver }: Ask, name: ZoneName | undefined) {
    const { limit } = this.#options;
    const query = this.#query;
    if (limit === undefined || (query.cookieAt > 0 && this.#hasOurCookie(resolver))) return 'send';
    const kind =
      name !== undefined ? name.hash ^ query.type : this.#rcode === rcodes.nxDomain ? NOT_EXISTING : FAILED;
    return limit.judge(resolver, kind, this.#moment.monotonicMs);
  }

  #hasOurCookie(client: Address): boolean {
    const { options, cookieAt, cookieBytes } = this.#query;
    const option = { bytes: options, at: cookieAt, length: cookieBytes };
    return this.#options.cookies.isValid(option, { client, nowS: this.#nowS() });
  }

  #answer(name: ZoneName): void {
    const { type } = this.#query;
    try {
      if (name.kind === 'steered' && isSteered(type)) this.#steer();
      else {
        const set = name.of(type);
        if (set === undefined) this.#writeNegative();
        else if (this.#fits(set)) {
          this.#out.set(set.bytes, this.#at);
          this.#at += set.bytes.length;
          this.#answers = set.starts.length;
        }
      }
    } catch {
      this.#fail();
    }
  }

  #fail(): void {
    this.#rcode = rcodes.servFail;
    this.#isAuthoritative = false;
    this.#clear();
  }

  #steer(): void {
    const { type } = this.#query;
    const client = this.#client;
    const family = type === rrTypes.aaaa ? 6 : type === rrTypes.a ? 4 : (client?.family ?? 4);
    const steered = this.#options.source.steer(client, family, this.#names.shard);
    if (steered === undefined) {
      this.#fail();
      return;
    }
    if (client !== undefined) this.#scopeLength = steered.scopeLength;
    const { nodes, ttlS } = steered;
    let sets = 0;
    for (const node of nodes) {
      const set = this.#names.nodes[node]?.steered(type);
      if (set === undefined) continue;
      if (!this.#fits(set)) return;
      const at = this.#at;
      this.#at = copySet(set, { bytes: this.#out, at }, ttlS);
      this.#answers += set.starts.length;
      sets++;
      if (type === rrTypes.https) putPriority(this.#out, at, sets);
    }
    if (sets === 0) this.#writeNegative();
  }

  /** Whether the records have room; where they have not, the reply is cut to its question. */
  #fits(set: RecordSet): boolean {
    if (this.#at + set.bytes.length <= this.#recordsEnd) return true;
    this.#clear();
    this.#isTruncated = true;
    return false;
  }

  #clear(): void {
    const { start, questionEnd } = this.#query;
    this.#at = this.#base + Math.max(headerBytes, questionEnd - start);
    this.#answers = 0;
    this.#authorities = 0;
  }

  /** RFC 2308: what is not there is said with the zone's SOA. */
  #writeNegative(): void {
    const { soa } = this.#names;
    if (!this.#fits(soa)) return;
    this.#out.set(soa.bytes, this.#at);
    putOwner(this.#out, this.#at, headerBytes + this.#names.apexAt(this.#query));
    this.#at += soa.bytes.length;
    this.#authorities = 1;
  }

  #finish({ resolver }: Ask): number {
    const query = this.#query;
    const out = this.#out;
    const base = this.#base;
    if (query.hasEdns) this.#writeOpt(resolver);
    const flags =
      flagBits.response |
      query.echoedFlags |
      (this.#isAuthoritative ? flagBits.authoritative : 0) |
      (this.#isTruncated ? flagBits.truncated : 0) |
      // RFC 6891 §6.1.3: the upper bits of the code stand in the OPT.
      (this.#rcode & 0xf);
    putUint16(out, base, query.id);
    putUint16(out, base + 2, flags);
    putUint16(out, base + 4, query.questionEnd === 0 ? 0 : 1);
    putUint16(out, base + 6, this.#answers);
    putUint16(out, base + 8, this.#authorities);
    putUint16(out, base + 10, query.hasEdns ? 1 : 0);
    const { counts } = this.#options;
    count(counts, this.#rcode);
    if (this.#isTruncated) count(counts, countAt.truncated);
    return this.#at - base;
  }

  /** RFC 6891 §6.1.2; the client subnet goes back with the scope, the cookie with ours. */
  #writeOpt(resolver: Address): void {
    const query = this.#query;
    const { options, subnetAt, subnetBytes, cookieAt } = query;
    const out = this.#out;
    let at = this.#at;
    out[at] = 0;
    putUint16(out, at + 1, rrTypes.opt);
    putUint16(out, at + 3, udpReplyBytesMax);
    out[at + 5] = this.#rcode >>> 4;
    out[at + 6] = 0;
    putUint16(out, at + 7, query.dnssecOk ? flagBits.dnssecOk : 0);
    putUint16(out, at + 9, optBytesOf(query) - OPT_HEAD_BYTES);
    at += OPT_HEAD_BYTES;
    if (subnetAt > 0) {
      putUint16(out, at, optionCodes.clientSubnet);
      putUint16(out, at + 2, subnetBytes);
      at += OPTION_HEAD_BYTES;
      for (let byte = 0; byte < subnetBytes; byte++) out[at + byte] = options[subnetAt + byte] ?? 0;
      out[at + 3] = this.#scopeLength;
      at += subnetBytes;
    }
    if (cookieAt > 0) {
      putUint16(out, at, optionCodes.cookie);
      putUint16(out, at + 2, cookieReplyBytes);
      at += OPTION_HEAD_BYTES;
      const context = { client: resolver, nowS: this.#nowS() };
      at = this.#options.cookies.write({ bytes: options, at: cookieAt }, { bytes: out, at }, context);
    }
    this.#at = at;
  }

  #nowS(): number {
    return Math.floor(this.#moment.nowMs / 1000);
  }
}

function optBytesOf({ hasEdns, subnetAt, subnetBytes, cookieAt }: Query): number {
  if (!hasEdns) return 0;
  const subnet = subnetAt > 0 ? OPTION_HEAD_BYTES + subnetBytes : 0;
  return OPT_HEAD_BYTES + subnet + (cookieAt > 0 ? OPTION_HEAD_BYTES + cookieReplyBytes : 0);
}

function count(counts: ReplyCounts, at: number): 0 {
  counts[at] = (counts[at] ?? 0) + 1;
  return 0;
}

import type { Answer, SoaAnswer } from 'dns-packet';
import { formatAddress, parseAddress, type Address } from '../../common/core/ip-address.ts';
import { rcodes, type Question, type Rcode } from './query.ts';

/** What steering answers for a client in one family of addresses; undefined where it can answer nobody. */
export interface SteeredAddresses {
  readonly addresses: readonly string[];
  /** Bits of the block of client addresses for which this is the answer. */
  readonly scopeLength: number;
  readonly ttlS: number;
}

/** What the zone asks the rest of steering. */
export interface ZoneSource {
  /** Addresses of the best boxes for a client; `client` undefined: not tailored. */
  steer(client: Address | undefined, family: 4 | 6): SteeredAddresses | undefined;
  /** Addresses of a node, by family; undefined where no node has the id. */
  nodeAddresses(id: string): Readonly<Record<4 | 6, readonly string[]>> | undefined;
  /** Ids of every node, for names that exist only as a part of theirs. */
  nodeIds(): Iterable<string>;
  /** Grows with every map. */
  serial(): number;
}

export interface ZoneOptions {
  /** `steer.nearcast.test`. */
  readonly zone: string;
  /** Names under the zone that are steered: `play`. */
  readonly steeredNames: readonly string[];
  /** Names of the zone's servers; those under the zone answer with `serverAddresses`. */
  readonly servers: readonly string[];
  readonly serverAddresses: readonly string[];
  readonly nodeTtlS: number;
  readonly negativeTtlS: number;
}

/** The sections of a reply. */
export interface ZoneReply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  /** For ECS: 0 where the answer is the same for everybody. */
  readonly scopeLength: number;
}

export interface Zone {
  /** Answers a question for a client: pure but for what the source says. */
  answer(question: Question, client: Address | undefined): ZoneReply;
}

const types = { a: 1, ns: 2, soa: 6, aaaa: 28, ixfr: 251, axfr: 252, any: 255 } as const;
const CLASS_IN = 1;
const STATIC_TTL_S = 3600;

/** Makes the zone that steering is the authority for. */
export function createZone(options: ZoneOptions, source: ZoneSource): Zone {
  const apex = options.zone.toLowerCase().split('.');
  const steered = new Set(options.steeredNames.map((name) => name.toLowerCase()));
  const servers = options.servers.map((name) => name.toLowerCase());

  const soa = (): SoaAnswer => soaOf(options, source.serial());
  const negative = (rcode: Rcode, scopeLength = 0): ZoneReply => ({
    ...empty(rcode, true),
    authorities: [soa()],
    scopeLength,
  });
  const found = (answers: readonly Answer[], scopeLength = 0): ZoneReply =>
    answers.length === 0
      ? negative(rcodes.ok, scopeLength)
      : { ...empty(rcodes.ok, true), answers, scopeLength };

  const fixedAddresses = (
    question: Question,
    addresses: Readonly<Record<4 | 6, readonly string[]>>,
  ): ZoneReply => {
    const family = familyOf(question.type);
    if (family === undefined) return negative(rcodes.ok);
    return found(addressRecords(question, addresses[family], options.nodeTtlS));
  };
  const steer = (question: Question, client: Address | undefined): ZoneReply => {
    const family = familyOf(question.type);
    if (family === undefined) return negative(rcodes.ok);
    const answer = source.steer(client, family);
    if (answer === undefined) return empty(rcodes.servFail, false);
    return found(
      addressRecords(question, answer.addresses, answer.ttlS),
      client === undefined ? 0 : answer.scopeLength,
    );
  };
  const answerApex = (question: Question): ZoneReply => {
    if (question.type === types.soa) return found([{ ...soa(), name: question.name, ttl: STATIC_TTL_S }]);
    if (question.type !== types.ns) return negative(rcodes.ok);
    return found(servers.map((data) => ({ type: 'NS', name: question.name, ttl: STATIC_TTL_S, data })));
  };
  const serverAddresses = byFamily(options.serverAddresses);
  const existsBelow = (host: string): boolean =>
    [...steered, ...source.nodeIds()].some((name) => name.endsWith(`.${host}`));

  return {
    answer(question, client) {
      const host = hostUnder(question.labels, apex);
      if (host === undefined || question.classCode !== CLASS_IN) return empty(rcodes.refused, false);
      if (question.type === types.axfr || question.type === types.ixfr) return empty(rcodes.refused, false);
      const full = question.labels.join('.');
      const isServer = servers.includes(full) && host !== '';
      const node = isServer || steered.has(host) ? undefined : source.nodeAddresses(host);
      const exists = host === '' || isServer || steered.has(host) || node !== undefined;
      if (!exists) return negative(existsBelow(host) ? rcodes.ok : rcodes.nxDomain);
      // RFC 8482 §4.2: one HINFO in place of everything.
      if (question.type === types.any) return found([refusedAny(question.name)]);
      if (host === '') return answerApex(question);
      if (isServer) return fixedAddresses(question, serverAddresses);
      return node === undefined ? steer(question, client) : fixedAddresses(question, node);
    },
  };
}

/** RFC 2308 §5: what is not there is remembered for the lesser of the SOA's TTL and its minimum. */
function soaOf({ zone, servers, negativeTtlS }: ZoneOptions, serial: number): SoaAnswer {
  const mname = servers[0] ?? zone;
  const times = { refresh: 3600, retry: 600, expire: 86_400, minimum: negativeTtlS };
  const data = { mname, rname: `hostmaster.${zone}`, serial: serial % 2 ** 32, ...times };
  return { type: 'SOA', name: zone, ttl: negativeTtlS, data };
}

function addressRecords(question: Question, addresses: readonly string[], ttlS: number): Answer[] {
  const type = question.type === types.a ? 'A' : 'AAAA';
  return addresses.map((data) => ({ type, name: question.name, ttl: ttlS, data }));
}

function empty(rcode: Rcode, authoritative: boolean): ZoneReply {
  return { rcode, authoritative, answers: [], authorities: [], scopeLength: 0 };
}

function familyOf(type: number): 4 | 6 | undefined {
  if (type === types.a) return 4;
  return type === types.aaaa ? 6 : undefined;
}

/**
 * What stands before the zone, dotted; '' is the zone itself; undefined: elsewhere. A label that holds a dot or anything
 * else that no name of ours has becomes a host that cannot exist.
 */
function hostUnder(labels: readonly string[], apex: readonly string[]): string | undefined {
  const cut = labels.length - apex.length;
  if (cut < 0 || apex.some((label, at) => labels[cut + at] !== label)) return undefined;
  const host = labels.slice(0, cut);
  return host.every((label) => /^[a-z0-9_-]+$/.test(label)) ? host.join('.') : ' ';
}

function byFamily(texts: readonly string[]): Record<4 | 6, string[]> {
  const out: Record<4 | 6, string[]> = { 4: [], 6: [] };
  for (const text of texts) {
    const address = parseAddress(text);
    if (address !== undefined) out[address.family].push(formatAddress(address));
  }
  return out;
}

function refusedAny(name: string): Answer {
  return { type: 'HINFO', name, ttl: STATIC_TTL_S, data: { cpu: 'RFC8482', os: '' } };
}

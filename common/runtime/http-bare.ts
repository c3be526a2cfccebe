import type { BareAnswerer } from './bare-front.ts';
import type { BareReply } from './bare-reply.ts';
import { leanFields, type FieldList } from '../core/lean-request.ts';
import { formatAddress } from '../core/ip-address.ts';
import type { Chance } from './chance.ts';
import { createClientAddressOf, isProxy, parseProxy } from './client-address.ts';
import { requestIds } from './http-app.ts';
import { HEADER_FIELDS_MAX, parameterCount, PARAMETERS_MAX } from './http-filter.ts';
import type { NamedRate, Rates } from './http-rates.ts';

/** Fields that every answer has, unless its route says otherwise. */
export const commonFields = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** What scripts of other pages may read of an answer beside what they always may. */
export const exposedFields = [
  'content-range',
  'content-length',
  'etag',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'x-request-id',
  'upload-offset',
];

/** A plain GET, or a POST of some JSON, that no filter of every request refuses, and that comes past the framework. */
export interface BareRequest {
  readonly id: string;
  readonly method: 'GET' | 'POST';
  /** Path and query as they were sent. */
  readonly url: string;
  /** Names and values in turn. */
  readonly rawFields: readonly string[];
  /** Who asks, as far as proxies are trusted to say it. */
  readonly address: string;
  readonly host: string;
  readonly protocol: string;
  /** As it was sent, whether it is JSON or not; null of a GET. */
  readonly body: Buffer | null;
  /** What its answer has whatever else it says. */
  readonly fields: FieldList;
}

/** Takes a request and answers it when it can; false: the framework is to have it. */
export type BareTaker = (request: BareRequest, reply: BareReply) => boolean;

/** The way past the framework, for routes whose cost counts. Whoever takes requests here takes their rates too. */
export interface BareServer {
  readonly rates: Rates;
  /** What one address may ask of all routes. */
  readonly addressRate: NamedRate;
  /** Notes an answer for the metrics; `route` is a pattern. */
  readonly observe: (labels: Record<'method' | 'route' | 'status', string>, seconds: number) => void;
  take(taker: BareTaker): void;
}

export interface BareOptions {
  readonly chance: Chance;
  readonly trustedProxies: readonly string[];
  /** Origins whose pages may call. */
  readonly cors: readonly string[];
}

/** Hands requests to `take` as the framework's filters would let them through; whatever they would refuse, or change, is the framework's. */
export function bareTaker({ chance, trustedProxies, cors }: BareOptions, take: BareTaker): BareAnswerer {
  const proxies = trustedProxies.map(parseProxy).filter((proxy) => proxy !== undefined);
  const addressOf = createClientAddressOf(proxies);
  const nextId = requestIds(chance);
  const constant = Object.entries({ ...commonFields, ...corsFields(cors) }).flat();
  return ({ method, url, host, forwardedFor, socket, head, body }, reply) => {
    if (parameterCount(url) > PARAMETERS_MAX) return false;
    const rawFields = leanFields(head);
    const told = proxyFields(rawFields);
    const { remoteAddress } = socket;
    if (rawFields.length / 2 > HEADER_FIELDS_MAX || remoteAddress === undefined) return false;
    // What CORS says depends on who asks; without it nothing does, and every POST of a browser says it.
    if (told.hasOrigin && cors.length > 0) return false;
    const isProxied = proxies.length > 0 && isProxy(remoteAddress, proxies);
    const client = isProxied ? addressOf({ remoteAddress, forwardedFor }) : undefined;
    const id = nextId();
    return take(
      {
        ...{ id, method, url, rawFields, body },
        address: client === undefined ? remoteAddress : formatAddress(client),
        host: (isProxied ? told.host : undefined) ?? host,
        protocol: (isProxied ? told.protocol : undefined) ?? 'http',
        fields: [...constant, 'x-request-id', id],
      },
      reply,
    );
  };
}

/** As the framework's plugin has it for requests that do not say their origin. */
function corsFields(cors: readonly string[]): Record<string, string> {
  if (cors.length === 0) return {};
  return {
    ...(cors.includes('*') ? { 'access-control-allow-origin': '*' } : { vary: 'Origin' }),
    'access-control-expose-headers': exposedFields.join(', '),
  };
}

/** What a proxy says of the client's request; of each the last value counts, which the nearest proxy has written. */
function proxyFields(rawFields: readonly string[]): {
  hasOrigin: boolean;
  host: string | undefined;
  protocol: string | undefined;
} {
  let hasOrigin = false;
  let host: string | undefined;
  let protocol: string | undefined;
  for (let at = 0; at < rawFields.length; at += 2) {
    const name = rawFields[at] ?? '';
    // Most names are of another length.
    if (name.length === 6) hasOrigin ||= name.toLowerCase() === 'origin';
    else if (name.length === 16 && name.toLowerCase() === 'x-forwarded-host')
      host = lastOf(rawFields[at + 1]);
    else if (name.length === 17 && name.toLowerCase() === 'x-forwarded-proto')
      protocol = lastOf(rawFields[at + 1]);
  }
  return { hasOrigin, host, protocol };
}

function lastOf(value = ''): string | undefined {
  return value.slice(value.lastIndexOf(',') + 1).trim() || undefined;
}

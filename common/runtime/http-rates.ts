import type { FastifyReply } from 'fastify';
import { formatAddress, formatPrefix, parseAddress } from '../core/ip-address.ts';
import { RateTable, type Rate } from '../core/rate-table.ts';
import type { Clock } from './clock.ts';
import { coded } from './errors.ts';
import type { App } from './http-app.ts';

/** A rate under the name by which headers and buckets know it: what bears one name shares a client's bucket. */
export interface NamedRate extends Rate {
  readonly name: string;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Requests that one address may make of this route: `max` at once, and as many again in each `timeWindow` ms. */
    rateLimit?: { readonly max: number; readonly timeWindow: number };
  }
}

/** Takes one request of a client, says on the answer how much is left, and throws RATE_LIMITED when it is too many. */
export type TakeRate = (client: string, rate: NamedRate, reply: FastifyReply) => void;

/** What an answer says of a rate. */
export interface RateFields {
  readonly 'ratelimit-policy': string;
  readonly ratelimit: string;
}

/** The rates of a server's clients, for requests that the framework does not see. */
export interface Rates {
  /** Whether a client's next request would be allowed. */
  mayTake(client: string, rate: NamedRate): boolean;
  /** Takes one that may be taken. */
  take(client: string, rate: NamedRate): RateFields;
}

// Some megabytes when full.
const KEYS_MAX = 20_000;

/** Makes the table of a server's rates, for both ways by which requests come. */
export function createRates(clock: Clock): Rates & { takeRate: TakeRate } {
  const table = new RateTable({ keysMax: KEYS_MAX });
  const policies = new WeakMap<NamedRate, string>();
  const keyOf = (client: string, { name }: NamedRate): string => `${name} ${client}`;
  const take = (client: string, rate: NamedRate) => {
    const decision = table.take(keyOf(client, rate), rate, clock.monotonicMs());
    let policy = policies.get(rate);
    if (policy === undefined) policies.set(rate, (policy = policyOf(rate)));
    const { remaining, fullInMs } = decision;
    const ratelimit = `"${rate.name}";r=${remaining};t=${Math.ceil(fullInMs / 1000)}`;
    return { decision, fields: { 'ratelimit-policy': policy, ratelimit } };
  };
  return {
    mayTake: (client, rate) => table.mayTake(keyOf(client, rate), rate, clock.monotonicMs()),
    take: (client, rate) => take(client, rate).fields,
    takeRate(client, rate, reply) {
      const { decision, fields } = take(client, rate);
      void reply.headers({ ...fields });
      const { isAllowed, retryAfterMs } = decision;
      if (!isAllowed) throw coded('RATE_LIMITED', { retryAfterMs });
    },
  };
}

/** draft-ietf-httpapi-ratelimit-headers-10 §4: the quota, and in how many seconds it is granted. */
function policyOf({ name, burst, perSecond }: NamedRate): string {
  return `"${name}";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`;
}

/**
 * Limits what one address may ask of every route of the app, before its credential is looked at: guesses count too. A route
 * may have a rate of its own (`config.rateLimit`).
 */
export function limitAddresses(
  app: App,
  { take, rate: everywhere }: { take: TakeRate; rate: NamedRate },
): void {
  const own = new WeakMap<object, NamedRate>();
  app.addHook('onRequest', async (request, reply) => {
    const { config, url = '' } = request.routeOptions;
    const { rateLimit } = config;
    let route = rateLimit === undefined ? everywhere : own.get(config);
    if (route === undefined && rateLimit !== undefined) {
      const { max, timeWindow } = rateLimit;
      route = { name: `${request.method} ${url}`, burst: max, perSecond: (max * 1000) / timeWindow };
      own.set(config, route);
    }
    take(addressKey(request), route ?? everywhere, reply);
  });
}

/** Whom an address stands for: itself, of IPv6 its /64, which is the least that a household has (RFC 6177 §2). */
export function addressKey({ ip }: { readonly ip: string }): string {
  if (!ip.includes(':')) return ip;
  const address = parseAddress(ip);
  if (address === undefined) return ip;
  return address.family === 4 ? formatAddress(address) : formatPrefix(address, 64);
}

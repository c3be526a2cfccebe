import { isWithin, parseAddress, parsePrefix, type Address, type Prefix } from '../core/ip-address.ts';

/** The parts of a request that say where it comes from. */
export interface Sender {
  readonly remoteAddress: string | undefined;
  readonly forwardedFor: string | readonly string[] | undefined;
}

/** Finds the client's address of a request; undefined where the socket has none any more. */
export type ClientAddressOf = (sender: Sender) => Address | undefined;

/**
 * The socket's address, unless that is one of the trusted proxies': then the last address of X-Forwarded-For that is not
 * one of theirs. What a client writes there itself stands before it and is never read.
 */
export function createClientAddressOf(trustedProxies: readonly Prefix[]): ClientAddressOf {
  return ({ remoteAddress, forwardedFor }) => {
    let client = parseSocketAddress(remoteAddress);
    if (client === undefined || forwardedFor === undefined) return client;
    const hops = typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',');
    for (let end = hops.length; end >= 0 && isAmong(client, trustedProxies);) {
      const comma = hops.lastIndexOf(',', end - 1);
      const hop = parseHop(hops.slice(comma + 1, end));
      // The proxy wrote something that is no address: its own is the best that is known.
      if (hop === undefined) break;
      client = hop;
      end = comma;
    }
    return client;
  };
}

/** Whether a connection comes from one of the proxies. */
export function isProxy(remoteAddress: string, proxies: readonly Prefix[]): boolean {
  const address = parseSocketAddress(remoteAddress);
  return address !== undefined && isAmong(address, proxies);
}

function isAmong(address: Address, proxies: readonly Prefix[]): boolean {
  return proxies.some((proxy) => isWithin(address, proxy));
}

/** `10.0.0.0/8` and `10.1.2.3` alike; undefined for anything else. */
export function parseProxy(text: string): Prefix | undefined {
  const address = parseAddress(text);
  return address === undefined ? parsePrefix(text) : { address, length: address.family === 4 ? 32 : 128 };
}

function parseSocketAddress(text: string | undefined): Address | undefined {
  // A link-local peer has a zone, which only means something on its own link.
  return text === undefined ? undefined : parseAddress(text.includes('%') ? text.replace(/%.*$/, '') : text);
}

/** Some proxies add the port: `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
function parseHop(text: string): Address | undefined {
  const hop = text.trim();
  const address = parseAddress(hop);
  if (address !== undefined) return address;
  const match = /^\[([^\]]+)\](?::\d+)?$/.exec(hop) ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop);
  return match?.[1] === undefined ? undefined : parseAddress(match[1]);
}

import { isWithin, parseAddress, parsePrefix, type Prefix } from '../../../../common/core/ip-address.ts';

// https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry: what no public network has.
const special = prefixes([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  // Teredo, 6to4 and documentation; addresses within them may stand for any of IPv4.
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
]);
/** Of IPv6 all that is public (RFC 4291 §2.4): loopback, link-local and unique local addresses and NAT64 lie outside. */
const publicIpv6 = prefixes(['2000::/3']);

/** Reads prefixes; those that are none are left out. */
export function prefixes(texts: readonly string[]): Prefix[] {
  return texts.map(parsePrefix).filter((prefix) => prefix !== undefined);
}

/**
 * Whether something may be sent to an address in text form: a public one, or one of a network that is `allowed`. What is no address, or one
 * with a zone, is refused.
 */
export function isSendable(text: string, allowed: readonly Prefix[]): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  const isIn = (networks: readonly Prefix[]) => networks.some((network) => isWithin(address, network));
  if (isIn(allowed)) return true;
  return !isIn(special) && (address.family === 4 || isIn(publicIpv6));
}

import { networkInterfaces } from 'node:os';

/** Whether this machine speaks IPv6 to itself. */
export function hasIpv6Loopback(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  );
}

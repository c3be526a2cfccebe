import { networkInterfaces } from 'node:os';
import { isIP } from 'node:net';

import { coded } from '../../common/runtime/errors.ts';
import { hostInUrl, type ListenAddress } from '../../common/runtime/listen.ts';

/** How others reach this box. */
export interface Reachability {
  readonly url: string;
  readonly addresses: string[];
}

/** Whom a certificate is for. */
export interface CertifiedNames {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

/**
 * Finds out how others reach this box from where it listens, so that nobody has to tell it: the address listened on, or
 * those of the machine's interfaces when it listens on all. With TLS, the host is one that the certificate is for.
 *
 * @throws CONFIG_INVALID when there is no address or name to be found.
 */
export function reachableAt(
  bound: ListenAddress,
  configured: {
    publicUrl: string | undefined;
    addresses: readonly string[];
    /** Where the box speaks TLS: whom the default certificate is for. */
    certificate?: CertifiedNames | undefined;
  },
): Reachability {
  const isWildcard = bound.host === '::' || bound.host === '0.0.0.0';
  const found = isWildcard ? interfaceAddresses(bound.host === '::') : [bound.host];
  const addresses = configured.addresses.length > 0 ? [...configured.addresses] : found;
  const { certificate } = configured;
  const url =
    configured.publicUrl ??
    (certificate === undefined
      ? urlOf('http', addresses[0], bound.port)
      : urlOf('https', certifiedHost(addresses, certificate), bound.port));
  if (url === undefined && certificate !== undefined) {
    throw coded(
      'CONFIG_INVALID',
      'the TLS certificate is for no single name, nor for an address of this machine; set --public-url',
    );
  }
  if (url === undefined) {
    throw coded('CONFIG_INVALID', 'this machine has no address that others reach; set --public-url');
  }
  return { url: url.replace(/\/$/, ''), addresses: addresses.filter((address) => isIP(address) !== 0) };
}

/** An address needs no resolver; but few certificates are for one. */
function certifiedHost(addresses: readonly string[], certificate: CertifiedNames): string | undefined {
  const address = addresses.find((each) => certificate.addresses.includes(each));
  return address ?? certificate.names.find((name) => !name.startsWith('*'));
}

function urlOf(scheme: 'http' | 'https', host: string | undefined, port: number): string | undefined {
  return host === undefined ? undefined : `${scheme}://${hostInUrl(host)}:${port}`;
}

// IPv4 first: that is what every player can reach.
function interfaceAddresses(bothFamilies: boolean): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const four = outside.filter(({ family }) => family === 'IPv4');
  const six = bothFamilies ? outside.filter(({ family }) => family === 'IPv6') : [];
  return [...four, ...six].map(({ address }) => address).slice(0, 16);
}

import { coded, systemCode, toCoded, type CodedError } from './errors.ts';

/** Where a server listens. Port 0 picks a free one. */
export interface ListenAddress {
  host: string;
  port: number;
  /** A bound socket that whoever started the process keeps, so that connections wait while it starts anew; in place of the address. */
  fd?: number | undefined;
}

/** A failed listen as a coded error that names the address and what to do. `flag` is the option that moves it. */
export function listenFailed(error: unknown, address: ListenAddress, flag = '--port'): CodedError {
  const at = `${hostInUrl(address.host)}:${address.port}`;
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return coded('ADDRESS_IN_USE', {
        detail: `${at}; stop it, or choose another with ${flag}`,
        cause: error,
      });
    case 'EADDRNOTAVAIL':
      return coded('ADDRESS_UNAVAILABLE', {
        detail: `this machine has no address ${address.host}`,
        cause: error,
      });
    case 'EACCES':
      return coded('ADDRESS_UNAVAILABLE', {
        detail: `this user may not listen on ${at}; choose a port above 1023 with ${flag} or grant CAP_NET_BIND_SERVICE`,
        cause: error,
      });
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return coded('ADDRESS_UNAVAILABLE', {
        detail: `${address.host} is not an address of this machine`,
        cause: error,
      });
    default:
      return toCoded(error);
  }
}

/** A host as it stands in a URL: IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Whether an address reaches this machine only. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || /^(?:::ffff:)?127\./.test(address);
}

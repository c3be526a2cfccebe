import { lookup } from 'node:dns/promises';
import { BoundSocket, isIP } from 'node:net';

import { coded, systemCode } from '../../common/runtime/errors.ts';
import { listenFailed } from '../../common/runtime/listen.ts';
import type { EngineAddress } from '../engine/engine.ts';

/** A socket that connections come to. It lives as long as any process holds it, and so does its queue. */
export interface ListenSocket {
  readonly fd: number;
  /** This process lets go of it. */
  close(): void;
}

/** Makes the sockets of one address, one for each process that serves on it. */
export interface SocketMaker {
  readonly address: EngineAddress;
  /** Another socket of the address; the kernel spreads new connections over all. */
  make(): ListenSocket;
}

/**
 * Finds out where to listen and makes the first socket. Several sockets share an address only among processes that all
 * want that (SO_REUSEPORT), which another box on this machine would too: so it is first tried without.
 *
 * @throws ADDRESS_IN_USE, ADDRESS_UNAVAILABLE.
 */
export async function openSockets(
  wanted: EngineAddress,
  { shared }: { shared: boolean },
): Promise<{ first: ListenSocket; maker: SocketMaker }> {
  try {
    const host = await numericHost(wanted.host);
    if (wanted.port !== 0 && shared) bind(host, wanted.port, false).close();
    const first = bind(host, wanted.port, shared);
    const { port } = first.bound;
    return { first, maker: { address: { host, port }, make: () => bind(host, port, shared) } };
  } catch (error) {
    throw listenFailed(error, wanted);
  }
}

/** The kernel is given addresses only; a name such as `localhost` stands for its first. */
async function numericHost(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    throw coded('ADDRESS_UNAVAILABLE', { detail: `${host} is not an address of this machine`, cause });
  }
}

/** Bound but not yet listening: whoever inherits it calls listen(). */
function bind(
  host: string,
  port: number,
  reusePort: boolean,
): ListenSocket & { readonly bound: EngineAddress } {
  const socket = new BoundSocket({ host, port, reusePort });
  const { address, port: boundPort } = socket.address();
  return {
    fd: socket.fd(),
    bound: { host: address, port: boundPort },
    close: () => {
      socket.close();
    },
  };
}

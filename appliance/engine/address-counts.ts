import type { Socket } from 'node:net';

import { formatAddress, formatPrefix, parseAddress } from '../../common/core/ip-address.ts';

/**
 * Counts connections by the address they come from, and says which are too many. An IPv6 client has a /64 to itself, so
 * that is what counts there; one IPv4 address may be a whole CGNAT.
 */
export class AddressCounts {
  readonly #max: number;
  readonly #counts = new Map<string, number>();
  /** Connections beyond the cap, by address and port: a TLS socket is another object than the one that was accepted. */
  readonly #over = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a connection until it is closed. */
  add(socket: Socket): void {
    const key = clientNetworkOf(socket.remoteAddress ?? '');
    const id = idOf(socket);
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count > this.#max) this.#over.add(id);
    // Room enough to be told so, and no more.
    if (count > this.#max * 2 + 16) socket.destroy();
    socket.once('close', () => {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
      this.#over.delete(id);
    });
  }

  isOver(socket: Socket): boolean {
    return this.#over.size > 0 && this.#over.has(idOf(socket));
  }

  /** How many addresses have connections. */
  get size(): number {
    return this.#counts.size;
  }
}

function idOf({ remoteAddress, remotePort }: Socket): string {
  return `${String(remoteAddress)} ${String(remotePort)}`;
}

/** What an address is counted as: itself, or its /64. */
export function clientNetworkOf(text: string): string {
  const address = parseAddress(text.split('%', 1)[0] ?? '');
  if (address === undefined) return text;
  return address.family === 4 ? formatAddress(address) : formatPrefix(address, 64);
}

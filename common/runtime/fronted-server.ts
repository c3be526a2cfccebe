import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { BoundSocket, isIP, type Socket } from 'node:net';
import type { LeanFrontOptions } from './lean-front.ts';
import type { ListenAddress } from './listen.ts';

/** Has the connections of an address, answers over them what is plain, and hands over every connection that brings anything else. */
export interface ListeningFront {
  /** Accepts on a bound socket, which stays the caller's; returns the port. Throws with the system's code. */
  listen(fd: number): number;
  /** Accepts no more, and ends all connections that are still its own: each request was answered as it came. */
  close(): void;
  /** Cuts what is left. */
  destroy(): void;
}

/** Makes a front that listens by itself. */
export type OpenFront = (options: LeanFrontOptions) => ListeningFront;

/** An HTTP server to which a front brings its connections, instead of the server's own listening. */
export class FrontedServer {
  readonly #server: Server;
  readonly #front: ListeningFront;
  readonly #handed = new Set<Socket>();

  constructor(server: Server, open: OpenFront, options: Omit<LeanFrontOptions, 'handOver'>) {
    this.#server = server;
    this.#front = open({
      ...options,
      handOver: (socket) => {
        // The server counts those that it accepts itself, and these it does not.
        if (this.#handed.size >= server.maxConnections) {
          socket.destroy();
          return;
        }
        this.#handed.add(socket);
        socket.once('close', () => this.#handed.delete(socket));
        server.emit('connection', socket);
      },
    });
  }

  /** Listens; returns the port. Throws with the system's code. */
  async listen({ host, port }: ListenAddress): Promise<number> {
    const address = isIP(host) === 0 ? (await lookup(host)).address : host;
    const socket = new BoundSocket({ host: address, port });
    try {
      const bound = this.#front.listen(socket.fd());
      // What times out slow heads begins with the server's listening.
      this.#server.emit('listening');
      return bound;
    } finally {
      socket.close();
    }
  }

  /** Resolves when the requests in hand are answered; the answers themselves end their connections. */
  async drain(): Promise<void> {
    this.#front.close();
    this.#server.closeIdleConnections();
    await Promise.all([...this.#handed].map((socket) => once(socket, 'close')));
  }

  destroy(): void {
    this.#front.destroy();
  }
}

import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { readLeanRequest } from '../core/lean-request.ts';
import type { Clock } from './clock.ts';

/** A request with the connection that it came by. */
export interface LeanAsked {
  readonly url: string;
  readonly headers: Readonly<Partial<Pick<IncomingHttpHeaders, 'host' | 'x-forwarded-for'>>>;
  readonly socket: Socket;
}

/** What is answered with 200. The headers are rendered once for each object that holds them. */
export interface LeanAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers at once; undefined: the request is not for it. */
export type LeanAnswerer = (asked: LeanAsked) => LeanAnswer | undefined;

export interface LeanFrontOptions {
  readonly answer: LeanAnswerer;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Goes on with a connection as a server that knows all of HTTP. */
  readonly handOver: (socket: Socket) => void;
  /** A connection on which nothing comes for so long is cut. */
  readonly keepAliveMs: number;
}

const SECOND_MS = 1000;

/**
 * Reads connections before the HTTP server does, for answers that cost less than its objects for a request and a response: one whole
 * plain GET at a time. With the first bytes that are anything else, the connection is the HTTP server's for good.
 */
export class LeanFront {
  readonly #options: LeanFrontOptions;
  readonly #sockets = new Set<Socket>();
  readonly #heads = new WeakMap<object, string>();
  readonly #keepAlive: string;
  #isClosed = false;
  #date = '';
  #dateAtS = -1;

  constructor(options: LeanFrontOptions) {
    this.#options = options;
    const seconds = Math.floor(options.keepAliveMs / SECOND_MS);
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`;
  }

  /** Takes a connection that was accepted. */
  take(socket: Socket): void {
    if (this.#isClosed) {
      this.#options.handOver(socket);
      return;
    }
    const onData = (bytes: Buffer): void => {
      if (!socket.writableNeedDrain && this.#reply(socket, bytes)) return;
      this.#sockets.delete(socket);
      socket
        .off('data', onData)
        .off('end', end)
        .off('error', ignore)
        .off('timeout', cut)
        .off('close', forget);
      socket.setTimeout(0);
      this.#options.handOver(socket);
      // Not `unshift`: the parser of HTTP/1.1 reads from the socket's handle, past what the stream still has.
      socket.emit('data', bytes);
    };
    const end = (): void => {
      socket.end();
    };
    const cut = (): void => {
      socket.destroy();
    };
    const forget = (): void => {
      this.#sockets.delete(socket);
    };
    this.#sockets.add(socket);
    socket.on('data', onData).on('end', end).on('error', ignore).on('timeout', cut).on('close', forget);
    socket.setTimeout(this.#options.keepAliveMs);
  }

  /** Ends all connections that are still its own: each request was answered as it came. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroySoon();
  }

  /** Cuts them. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Answers the request that these bytes are; false where they are none that it answers. */
  #reply(socket: Socket, bytes: Buffer): boolean {
    const request = readLeanRequest(bytes);
    if (request === undefined) return false;
    const answer = this.#options.answer({ ...request, socket });
    if (answer === undefined) return false;
    const size = Buffer.byteLength(answer.body);
    const reply = `${this.#headOf(answer)}${this.#dateNow()}${this.#keepAlive}Content-Length: ${size}\r\n\r\n${answer.body}`;
    // Text of one byte a character is copied, not encoded.
    socket.write(reply, size === answer.body.length ? 'latin1' : 'utf8');
    return true;
  }

  #headOf({ headers }: LeanAnswer): string {
    const known = this.#heads.get(headers);
    if (known !== undefined) return known;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `HTTP/1.1 200 OK\r\n${lines.join('')}`;
    this.#heads.set(headers, head);
    return head;
  }

  /** RFC 9110 §6.6.1. */
  #dateNow(): string {
    const atS = Math.floor(this.#options.clock.nowMs() / SECOND_MS);
    if (atS !== this.#dateAtS) {
      this.#dateAtS = atS;
      this.#date = `Date: ${new Date(atS * SECOND_MS).toUTCString()}\r\n`;
    }
    return this.#date;
  }
}

/** The connection closes, which is all that there is to do. */
const ignore = (): void => undefined;

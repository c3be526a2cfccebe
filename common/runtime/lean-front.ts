import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { readLeanRequest } from '../core/lean-request.ts';
import type { Clock } from './clock.ts';
import { LeanReplies, type LeanAnswer } from './lean-replies.ts';

/** A request with the connection that it came by; a front tells of that only from where it comes. */
export interface LeanAsked {
  readonly url: string;
  readonly headers: Readonly<Partial<Pick<IncomingHttpHeaders, 'host' | 'x-forwarded-for'>>>;
  readonly socket: Pick<Socket, 'remoteAddress'> & Partial<Pick<Socket, 'localAddress' | 'localPort'>>;
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

/**
 * Reads connections before the HTTP server does, for answers that cost less than its objects for a request and a response: one whole
 * plain GET at a time. With the first bytes that are anything else, the connection is the HTTP server's for good.
 */
export class LeanFront {
  readonly #options: LeanFrontOptions;
  readonly #sockets = new Set<Socket>();
  readonly #replies: LeanReplies;
  #isClosed = false;

  constructor(options: LeanFrontOptions) {
    this.#options = options;
    this.#replies = new LeanReplies(options.clock, options.keepAliveMs);
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
    const answer = request && this.#options.answer({ ...request, socket });
    if (answer === undefined) return false;
    const { text, encoding } = this.#replies.render(answer);
    socket.write(text, encoding);
    return true;
  }
}

/** The connection closes, which is all that there is to do. */
const ignore = (): void => undefined;

import type { Socket } from 'node:net';
import { readLeanPost, readLeanRequest } from '../core/lean-request.ts';
import { BareReply, type BareConnection } from './bare-reply.ts';
import type { Clock } from './clock.ts';

/** A whole plain GET, or a POST of some JSON, with the connection that it came by. */
export interface BareAsked {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly host: string;
  readonly forwardedFor: string | undefined;
  /** As it was sent, up to its body. */
  readonly head: Buffer;
  /** A copy; null of a GET. */
  readonly body: Buffer | null;
  readonly socket: Socket;
}

/** Takes a request and answers it when it can; false: it is not for it. */
export type BareAnswerer = (asked: BareAsked, reply: BareReply) => boolean;

export interface BareFrontOptions {
  readonly take: BareAnswerer;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Goes on with a connection as a server that knows all of HTTP. */
  readonly handOver: (socket: Socket) => void;
  /** A connection on which nothing comes for so long is cut. */
  readonly keepAliveMs: number;
  /** So is one whose answer does not move for so long, or on which nothing ever came. */
  readonly idleMs: number;
}

const SECOND_MS = 1000;
/** What may come while an answer is made; more is left to the network to hold. */
const EARLY_BYTES_MAX = 64 * 1024;

/**
 * Reads connections before the HTTP server does, as LeanFront, for answers that come later: one whole plain GET at a time, or one POST whose few bytes of JSON came with its head. With the
 * first bytes that are anything else, the connection is the HTTP server's for good.
 */
export class BareFront {
  readonly #options: BareFrontOptions;
  readonly #connections = new Set<Connection>();
  readonly #keepAlive: string;
  #isClosed = false;
  #lines = { date: '', connection: '' };
  #linesAtS = -1;

  constructor(options: BareFrontOptions) {
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
    const connection: Connection = new Connection(socket, {
      ...this.#options,
      lines: () => this.#linesNow(),
      onEnd: () => {
        if (this.#isClosed) socket.destroySoon();
      },
      onLeft: () => {
        this.#connections.delete(connection);
      },
    });
    this.#connections.add(connection);
  }

  /** Ends all connections that are still its own, those with an answer under way once that is whole. */
  close(): void {
    this.#isClosed = true;
    this.#linesAtS = -1;
    for (const { isBusy, socket } of this.#connections) if (!isBusy) socket.destroySoon();
  }

  /** Cuts them. */
  destroy(): void {
    for (const { socket } of this.#connections) socket.destroy();
  }

  /** RFC 9110 §6.6.1 and §7.6.1. */
  #linesNow(): { date: string; connection: string } {
    const atS = Math.floor(this.#options.clock.nowMs() / SECOND_MS);
    if (atS !== this.#linesAtS) {
      this.#linesAtS = atS;
      this.#lines = {
        date: `Date: ${new Date(atS * SECOND_MS).toUTCString()}\r\n`,
        connection: this.#isClosed ? 'Connection: close\r\n' : this.#keepAlive,
      };
    }
    return this.#lines;
  }
}

interface ConnectionOptions extends Omit<BareFrontOptions, 'clock'> {
  readonly lines: () => { connection: string; date: string };
  readonly onEnd: () => void;
  readonly onLeft: () => void;
}

/** One connection, as long as nothing but plain requests comes on it. */
class Connection implements BareConnection {
  readonly socket: Socket;
  readonly #options: ConnectionOptions;
  /** The answer that is being made. */
  #reply: BareReply | undefined;
  /** What came meanwhile. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #wasAsked = false;
  #quietMs = 0;
  #sentBytes = 0;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    socket
      .on('data', this.#read)
      .on('end', this.#ended)
      .on('error', ignore)
      .on('timeout', this.#wasQuiet)
      .on('close', this.#closed);
    socket.setTimeout(options.keepAliveMs);
  }

  get isBusy(): boolean {
    return this.#reply !== undefined;
  }

  readonly #read = (bytes: Buffer): void => {
    this.#quietMs = 0;
    if (this.#reply !== undefined) {
      this.#early.push(bytes);
      this.#earlyBytes += bytes.length;
      if (this.#earlyBytes > EARLY_BYTES_MAX) this.socket.pause();
      return;
    }
    const reply = this.socket.writableNeedDrain ? undefined : this.#take(bytes);
    if (reply === undefined) {
      this.#handOver(bytes);
      return;
    }
    this.#wasAsked = true;
    // It may have ended already.
    if (!reply.isOver) this.#reply = reply;
  };

  /** The answer to come to the request that these bytes are; undefined where they are none that is taken. */
  #take(bytes: Buffer): BareReply | undefined {
    const post = readLeanPost(bytes);
    const request = post ?? readLeanRequest(bytes);
    if (request === undefined) return undefined;
    const { socket } = this;
    const reply = new BareReply(this);
    const { host, 'x-forwarded-for': forwardedFor } = request.headers;
    const asked: BareAsked = {
      ...{ method: post === undefined ? 'GET' : 'POST', url: request.url, host, forwardedFor, socket },
      head: post === undefined ? bytes : bytes.subarray(0, bytes.length - post.body.length),
      body: post === undefined ? null : post.body,
    };
    return this.#options.take(asked, reply) ? reply : undefined;
  }

  lines(): { connection: string; date: string } {
    return this.#options.lines();
  }

  answered(): void {
    this.#reply = undefined;
    this.#quietMs = 0;
    this.#options.onEnd();
    if (this.#early.length === 0 || this.socket.destroyed) return;
    const bytes = Buffer.concat(this.#early);
    this.#early = [];
    this.#earlyBytes = 0;
    if (this.socket.isPaused()) this.socket.resume();
    this.#read(bytes);
  }

  #handOver(bytes: Buffer): void {
    const { socket } = this;
    socket
      .off('data', this.#read)
      .off('end', this.#ended)
      .off('error', ignore)
      .off('timeout', this.#wasQuiet)
      .off('close', this.#closed);
    socket.setTimeout(0);
    this.#options.onLeft();
    this.#options.handOver(socket);
    // Not `unshift`: the parser of HTTP/1.1 reads from the socket's handle, past what the stream still has.
    socket.emit('data', bytes);
  }

  /** The client sends nothing more: whoever waits for an answer keeps its side open. */
  readonly #ended = (): void => {
    if (this.#reply === undefined) this.socket.end();
    else this.socket.destroy();
  };

  readonly #wasQuiet = (): void => {
    const { keepAliveMs, idleMs } = this.#options;
    const { bytesWritten } = this.socket;
    // An answer that moves is not quiet.
    this.#quietMs = bytesWritten > this.#sentBytes ? 0 : this.#quietMs + keepAliveMs;
    this.#sentBytes = bytesWritten;
    const quietMsMax = this.isBusy || !this.#wasAsked ? idleMs : keepAliveMs;
    if (this.#quietMs >= quietMsMax) this.socket.destroy();
    else this.socket.setTimeout(keepAliveMs);
  };

  readonly #closed = (): void => {
    this.#options.onLeft();
    this.#reply?.gone();
    this.#reply = undefined;
  };
}

/** The connection closes, which is all that there is to do. */
const ignore = (): void => undefined;

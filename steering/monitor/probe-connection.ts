import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readProbeAnswer, type ProbeAnswer } from '../core/probe-answer.ts';
import type { Family } from '../core/health.ts';

export interface ProbeConnectionOptions {
  /** What is asked for, with its scheme and port. */
  readonly url: URL;
  readonly family: Family;
  /** Where it is asked; the name of the URL, looked up in the family, unless given. */
  readonly address: string | undefined;
  readonly timeoutMs: number;
}

/** How an exchange ended. */
export type Exchanged =
  | { readonly kind: 'answered'; readonly answer: ProbeAnswer }
  | { readonly kind: 'late' }
  /** The system's error, if there was one: else it was no answer, or the connection was closed before its end. */
  | { readonly kind: 'broken'; readonly error: unknown };

const nothing = Buffer.alloc(0);
/** An answer comes in so many pieces at most: each is read with those before it. */
const PIECES_MAX = 64;
/** What has come over any connection, until its callback returns: a read makes no buffer of its own. */
const arrived = Buffer.allocUnsafe(64 * 1024);

/**
 * A connection over which one GET is sent again and again, each after the answer to the one before. It is opened when it is
 * needed and kept as long as both sides may. It does no more than probes need, since there are hundreds of them a second: it
 * takes a tenth of the processor time of a client that knows all of HTTP.
 */
export class ProbeConnection {
  readonly #options: ProbeConnectionOptions;
  readonly #request: Buffer;
  #socket: Socket | undefined;
  #received: Buffer = nothing;
  #pieces = 0;
  #settle: ((exchanged: Exchanged) => void) | undefined;
  /** Whether what was asked may be asked once more: over a connection that was kept, and not answered by a byte. */
  #mayAskAgain = false;
  #isClosed = false;

  constructor(options: ProbeConnectionOptions) {
    const { pathname, host } = options.url;
    this.#options = options;
    this.#request = Buffer.from(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 'latin1');
  }

  /** Asks once. Never rejects. */
  exchange(): Promise<Exchanged> {
    return new Promise((resolve) => {
      if (this.#isClosed) {
        resolve({ kind: 'broken', error: undefined });
        return;
      }
      const late = setTimeout(() => {
        this.#end({ kind: 'late' });
      }, this.#options.timeoutMs);
      this.#settle = (exchanged) => {
        clearTimeout(late);
        resolve(exchanged);
      };
      this.#received = nothing;
      this.#pieces = 0;
      this.#mayAskAgain = this.#socket !== undefined;
      this.#send();
    });
  }

  /** Lets the connection go, and ends what is under way. */
  close(): void {
    this.#isClosed = true;
    this.#end({ kind: 'broken', error: undefined });
  }

  #send(): void {
    this.#socket ??= this.#open();
    this.#socket.write(this.#request);
  }

  #open(): Socket {
    const { url, family, address } = this.#options;
    const name = url.hostname.replace(/^\[|\]$/g, '');
    const isTls = url.protocol === 'https:';
    const onread: OnReadOpts = {
      buffer: arrived,
      callback: (size) => {
        if (this.#socket === socket) this.#take(arrived.subarray(0, size));
        return true;
      },
    };
    const options = {
      ...{ host: address ?? name, port: Number(url.port) || (isTls ? 443 : 80), family, onread },
      ...{ noDelay: true, autoSelectFamily: false },
    };
    const socket = isTls
      ? connectTls({
          ...options,
          ...(isIP(name) === 0 && { servername: name }),
          ALPNProtocols: ['http/1.1'],
        })
      : connectTcp(options);
    let error: unknown;
    socket.once('error', (failure) => {
      error = failure;
    });
    socket.once('close', () => {
      if (this.#socket === socket) this.#closed(error);
    });
    return socket;
  }

  #take(bytes: Buffer): void {
    if (this.#settle === undefined) {
      // Nobody has asked.
      this.#end({ kind: 'broken', error: undefined });
      return;
    }
    const received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const answer = ++this.#pieces > PIECES_MAX ? 'garbage' : readProbeAnswer(received, false);
    // The memory is used again: what is kept is copied.
    if (answer === 'more') {
      this.#received = received === bytes ? Buffer.from(bytes) : received;
      return;
    }
    if (answer === 'garbage') {
      this.#end({ kind: 'broken', error: undefined });
      return;
    }
    const exchanged = { kind: 'answered', answer: { ...answer, body: Buffer.from(answer.body) } } as const;
    if (answer.keeps) this.#finish(exchanged);
    else this.#end(exchanged);
  }

  #closed(error: unknown): void {
    // RFC 9112 §9.3.1: a server may close a kept connection at any time, and that says nothing against it.
    if (this.#mayAskAgain && this.#pieces === 0 && this.#settle !== undefined) {
      this.#mayAskAgain = false;
      this.#socket = undefined;
      this.#send();
      return;
    }
    const answer = error === undefined ? readProbeAnswer(this.#received, true) : 'garbage';
    this.#end(typeof answer === 'string' ? { kind: 'broken', error } : { kind: 'answered', answer });
  }

  /** Lets the socket go, with what came of the exchange that was under way. */
  #end(exchanged: Exchanged): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#finish(exchanged);
  }

  #finish(exchanged: Exchanged): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(exchanged);
  }
}

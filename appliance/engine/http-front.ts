import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer as createListener, Socket, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

import type { Clock } from '../../common/runtime/clock.ts';
import { listenFailed } from '../../common/runtime/listen.ts';
import { AddressCounts } from './address-counts.ts';
import type { EngineAddress, EngineLimits, EngineTls, HandshakeOutcome, InheritedSocket } from './engine.ts';
import { lingers } from './linger.ts';
import { TlsServer } from './tls-server.ts';

export interface HttpFrontOptions {
  limits: EngineLimits;
  clock: Clock;
  /** HTTP/2 too, by Node's compatibility API: a request's socket is then its stream. */
  onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** What came is not HTTP/1.1. */
  onMalformed: (error: Error, socket: Duplex) => void;
  onHandshake: (outcome: HandshakeOutcome) => void;
}

/** A connection that was accepted elsewhere. */
export interface AdoptOptions {
  /** What was read from it already. */
  bytes: Buffer;
  isH2?: boolean;
}

// Above the cap there is room for some connections that are only told to go elsewhere.
const refusalConnections = 256;
const headerBytesMax = 16 * 1024;
const streamsMax = 100;
/** Connections that may wait to be accepted; the kernel's own bound is `net.core.somaxconn`. */
const listenBacklog = 4096;

/**
 * The connections of the TypeScript engine: accepted here or adopted, plain or by TLS, HTTP/1.1 or HTTP/2. All of them
 * end in one `onRequest`, count together and close together.
 */
export class HttpFront {
  readonly addresses: AddressCounts;
  readonly #options: HttpFrontOptions;
  // It accepts, and no HTTP server does, so that TLS may come and go under the same socket.
  readonly #listener;
  readonly #http: Server;
  readonly #tls: TlsServer;
  #http2: Http2Server | undefined;
  readonly #sessions = new Set<ServerHttp2Session>();
  /** By address and port: after the handshake it is another object. */
  readonly #handshaking = new Map<string, Socket>();
  #connections = 0;
  #isTracking = false;
  #isClosing = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
    const { limits } = options;
    this.addresses = new AddressCounts(limits.connectionsPerAddressMax);
    this.#listener = createListener({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket);
    });
    this.#listener.maxConnections = limits.connectionsMax + refusalConnections;
    this.#http = createServer(
      {
        maxHeaderSize: headerBytesMax,
        headersTimeout: limits.headersTimeoutMs,
        requestTimeout: limits.headersTimeoutMs + 5000,
        keepAliveTimeout: limits.keepAliveTimeoutMs,
        connectionsCheckingInterval: 1000,
        // Looked at with all else that makes a request ambiguous.
        requireHostHeader: false,
        noDelay: true,
      },
      options.onRequest,
    );
    // Who has closed its side still gets the answers to what it asked before.
    Object.assign(this.#http, { httpAllowHalfOpen: true });
    this.#http.setTimeout(limits.idleTimeoutMs);
    this.#http.on('clientError', options.onMalformed);
    // No body is taken, so none is asked for (RFC 9110 §10.1.1); Node would put its 100 behind the head in a pipeline.
    this.#http.on('checkContinue', options.onRequest);
    this.#tls = new TlsServer({
      handshakeTimeoutMs: limits.headersTimeoutMs,
      onHandshake: options.onHandshake,
      onConnection: (socket, isH2) => {
        this.#handshaking.delete(peerOf(socket));
        socket.allowHalfOpen = true;
        this.#serve(socket, isH2);
      },
    });
  }

  get connections(): number {
    return this.#connections;
  }

  async listen(at: EngineAddress | InheritedSocket): Promise<EngineAddress> {
    const socket = 'fd' in at ? { fd: at.fd } : { host: at.host, port: at.port };
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => {
        reject('fd' in at ? error : listenFailed(error, at));
      };
      this.#listener.once('error', onError);
      // With a descriptor, the backlog counts only as an argument of its own.
      this.#listener.listen(socket, listenBacklog, () => {
        this.#listener.off('error', onError);
        resolve();
      });
    });
    const bound = this.#listener.address() as AddressInfo;
    return { host: bound.address, port: bound.port };
  }

  setTls(tls: EngineTls | undefined): void {
    this.#tls.setTls(tls);
  }

  setTicketKeys(keys: readonly Buffer[]): void {
    this.#tls.setTicketKeys(keys);
  }

  /**
   * Goes on with a connection that was accepted elsewhere: a socket, or the plaintext of one that is encrypted. Its
   * address is counted by whoever accepted it.
   */
  adopt(connection: Duplex, { bytes, isH2 = false }: AdoptOptions): void {
    if (this.#isClosing) {
      connection.destroy();
      return;
    }
    this.#count(connection);
    if (isH2 && bytes.length > 0) connection.unshift(bytes);
    this.#serve(connection, isH2);
    // Not `unshift`: the parser of HTTP/1.1 reads from the socket's handle, past what the stream still has.
    if (!isH2 && bytes.length > 0) connection.emit('data', bytes);
  }

  /** Ends the connections that have no request. */
  closeIdle(): void {
    this.#http.closeIdleConnections();
  }

  /** Accepts no more, waits for what is in flight, then cuts what is left at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    const stopped = this.#listener.listening
      ? new Promise<unknown>((resolve) => this.#listener.close(resolve))
      : undefined;
    // It has never listened; this ends its timer.
    if (this.#isTracking) this.#http.close(() => undefined);
    this.closeIdle();
    for (const socket of this.#handshaking.values()) socket.destroy();
    for (const session of this.#sessions) session.close();
    const late = new AbortController();
    const deadline = this.#options.clock.sleep(deadlineMs, { signal: late.signal }).then(
      () => {
        this.#http.closeAllConnections();
        for (const session of this.#sessions) session.destroy();
      },
      () => undefined,
    );
    await this.#emptied();
    await stopped;
    late.abort();
    await deadline;
  }

  #emptied(): Promise<void> {
    if (this.#connections === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #accept(socket: Socket): void {
    this.#count(socket);
    this.addresses.add(socket);
    if (!this.#tls.isOn) {
      this.#serve(socket, false);
      return;
    }
    // Who leaves in mid-handshake is gone; afterwards it is as on a plain connection.
    socket.allowHalfOpen = false;
    const peer = peerOf(socket);
    this.#handshaking.set(peer, socket);
    socket.once('close', () => this.#handshaking.delete(peer));
    this.#tls.take(socket);
  }

  #count(connection: Duplex): void {
    this.#connections++;
    connection.once('close', () => {
      if (--this.#connections === 0) this.#onEmpty?.();
    });
  }

  #serve(connection: Duplex, isH2: boolean): void {
    if (isH2) {
      this.#http2 ??= this.#createHttp2();
      this.#http2.emit('connection', connection);
      return;
    }
    if (!this.#isTracking) {
      this.#isTracking = true;
      // What times out slow heads begins with the server's listening.
      this.#http.emit('listening');
    }
    lingers(connection);
    this.#http.emit('connection', connection);
  }

  #createHttp2(): Http2Server {
    const { limits, onRequest } = this.#options;
    const server = createHttp2Server(
      {
        settings: { maxConcurrentStreams: streamsMax, maxHeaderListSize: headerBytesMax, enablePush: false },
      },
      (request, response) => {
        onRequest(...asHttp1(request, response));
      },
    );
    server.on('checkContinue', (request, response) => {
      onRequest(...asHttp1(request, response));
    });
    server.setTimeout(limits.idleTimeoutMs);
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      showPeer(session);
    });
    return server;
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`;
}

/** HTTP/2's compatibility API has all of HTTP/1.1's that the engine uses. */
function asHttp1(request: unknown, response: unknown): [IncomingMessage, ServerResponse] {
  return [request as IncomingMessage, response as ServerResponse];
}

function isHttp2(request: IncomingMessage): boolean {
  return request.httpVersionMajor === 2;
}

/** This is the last answer on its connection. HTTP/2 has no such header (RFC 9113 §8.2.2). */
export function endAfter(request: IncomingMessage, response: ServerResponse): void {
  if (!isHttp2(request)) response.setHeader('connection', 'close');
}

/** Cuts an answer whose body cannot be finished, so that nobody takes it for whole (RFC 9112 §8, RFC 9113 §8.1). */
export function cutAnswer(request: IncomingMessage, response: ServerResponse): void {
  if (isHttp2(request)) {
    (response as unknown as Http2ServerResponse).stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  // The request's: a response that waits in a pipeline has no socket yet.
  request.socket.resetAndDestroy();
}

/** Node wraps a stream that is no socket in one that knows no peer: it is told. */
function showPeer(session: ServerHttp2Session): void {
  // What `off` returns is what the session's proxy stands for.
  const socket: Socket & { stream?: Partial<TLSSocket> } = session.socket.off('close', () => undefined);
  const { stream } = socket;
  if (stream === undefined) return;
  const { remoteAddress, remotePort } = stream;
  const protocol = stream.getProtocol?.() ?? null;
  Object.defineProperties(socket, {
    remoteAddress: { value: remoteAddress },
    remotePort: { value: remotePort },
    getProtocol: { value: () => protocol },
  });
}

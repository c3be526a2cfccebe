import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls';

import type { EngineTls, HandshakeOutcome } from './engine.ts';

export interface TlsServerOptions {
  handshakeTimeoutMs: number;
  /** The handshake is done. */
  onConnection: (socket: TLSSocket, isH2: boolean) => void;
  onHandshake: (outcome: HandshakeOutcome) => void;
}

// As in native/tls.cc: what is negotiated must not depend on which engine serves.
const ciphers = [
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:@SECLEVEL=2',
].join(':');
const groups = 'X25519MLKEM768:X25519:P-256:P-384';
const ticketSeconds = 24 * 60 * 60;

/** What is negotiated, and what a certificate must be fit for. */
export const securityOptions: SecureContextOptions = {
  ciphers,
  ecdhCurve: groups,
  honorCipherOrder: true,
  minVersion: 'TLSv1.2',
  secureOptions:
    constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
};

/** TLS by Node, over sockets that something else accepts. Certificates and ticket keys may change under it. */
export class TlsServer {
  readonly #server: Server;
  readonly #byName = new Map<string, SecureContext>();
  #tls: EngineTls | undefined;
  #ticketKey: Buffer | undefined;

  constructor({ handshakeTimeoutMs, onConnection, onHandshake }: TlsServerOptions) {
    this.#server = createServer({
      handshakeTimeout: handshakeTimeoutMs,
      SNICallback: (name, done) => {
        done(null, this.#contextFor(name));
      },
      // A client that names no protocol speaks HTTP/1.1. RFC 7301 §3.2: undefined is an alert.
      ALPNCallback: ({ protocols }) => this.#protocols().find((each) => protocols.includes(each)),
    });
    this.#server.on('secureConnection', (socket) => {
      onHandshake(socket.isSessionReused() ? 'resumed' : 'full');
      onConnection(socket, socket.alpnProtocol === 'h2');
    });
    // Garbage and refused versions are counted, and nothing to be told of one by one. Their socket is closed already, unless it was
    // too slow.
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code !== 'ECONNRESET') onHandshake('failed');
      socket.destroy();
    });
  }

  /** Whether there is a certificate. */
  get isOn(): boolean {
    return this.#tls !== undefined;
  }

  /** For the handshakes to come; connections keep what they began with. */
  setTls(tls: EngineTls | undefined): void {
    this.#tls = tls;
    this.#renew();
  }

  /**
   * Node takes one key of 48 bytes, and asks for no other: a client that comes with a ticket of the key before makes a
   * whole handshake.
   *
   * @param keys as `Engine.setTicketKeys`.
   */
  setTicketKeys(keys: readonly Buffer[]): void {
    const [newest] = keys;
    // Name, then as much of both secrets as AES-128 and its HMAC take.
    this.#ticketKey =
      newest && Buffer.concat([newest.subarray(0, 16), newest.subarray(16, 32), newest.subarray(48, 64)]);
    this.#renew();
  }

  /** Begins a handshake on a socket that was accepted. */
  take(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  #protocols(): readonly string[] {
    return this.#tls?.h2 === true ? ['h2', 'http/1.1'] : ['http/1.1'];
  }

  #renew(): void {
    this.#byName.clear();
    const [first, ...more] = (this.#tls?.certificates ?? []).map((certificate) => ({
      names: certificate.names,
      options: this.#contextOptions(certificate),
    }));
    if (first === undefined) return;
    this.#server.setSecureContext(first.options);
    for (const { names, options } of [first, ...more]) {
      const context = createSecureContext(options);
      for (const name of names) if (!this.#byName.has(name)) this.#byName.set(name, context);
    }
  }

  #contextOptions({ chainPem, keyPem }: EngineTls['certificates'][number]): SecureContextOptions {
    return {
      cert: chainPem,
      key: keyPem,
      ...securityOptions,
      // Else it is made of the command line, and no other process would take the ticket.
      sessionIdContext: 'nearcast',
      sessionTimeout: ticketSeconds,
      ...(this.#ticketKey !== undefined && { ticketKeys: this.#ticketKey }),
    };
  }

  /** Exact, then one label by a wildcard; undefined for the default. */
  #contextFor(asked: string): SecureContext | undefined {
    const name = asked.toLowerCase().replace(/\.$/, '');
    return this.#byName.get(name) ?? this.#byName.get(name.replace(/^[^.]+/, '*'));
  }
}

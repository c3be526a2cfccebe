import { Duplex } from 'node:stream';

import type { NativeServer, StreamPeer } from './native-addon.ts';

/** A TLS connection that the addon handed over: plaintext here, records and socket there. */
export class NativeStream extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly encrypted = true;
  readonly #protocol: string;
  readonly #server: NativeServer;
  readonly #id: number;
  #written: ((error?: Error | null) => void) | undefined;
  #isOver = false;
  #isEnded = false;

  constructor(server: NativeServer, [id, client, port, tls]: StreamPeer) {
    super({ allowHalfOpen: true });
    this.#server = server;
    this.#id = id;
    this.remoteAddress = client;
    this.remotePort = port;
    this.#protocol = `TLSv${tls}`;
  }

  /** As a TLS socket of Node has it. */
  getProtocol(): string {
    return this.#protocol;
  }

  /** Plaintext from the client; empty when it will send no more. */
  received(bytes: Buffer): void {
    if (!this.push(bytes.length === 0 ? null : bytes) && !this.#isOver)
      this.#server.streamRead(this.#id, false);
  }

  /** What was written last has left, or never will. */
  drained(isBroken: boolean): void {
    const written = this.#written;
    this.#written = undefined;
    written?.(isBroken ? new Error('the client is gone') : null);
  }

  /** The connection is over: nothing may be asked of the addon any more. */
  over(): void {
    this.#isOver = true;
    this.drained(true);
    this.destroy();
  }

  // The addon keeps the time of its connections.
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {
    if (!this.#isOver) this.#server.streamRead(this.#id, true);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#isOver) {
      done(new Error('the client is gone'));
      return;
    }
    this.#written = done;
    this.#server.streamWrite(this.#id, chunk);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#isEnded = true;
    if (!this.#isOver) this.#server.streamEnd(this.#id);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#written = undefined;
    // One that has ended well lingers there until the client has it all (RFC 9112 §9.6), and is not cut.
    if (!this.#isOver && !(this.#isEnded && error === null)) this.#server.streamDestroy(this.#id);
    done(error);
  }
}

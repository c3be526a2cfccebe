import type { IncomingMessage } from 'node:http';

import type { FileScope } from '../../common/core/tokens/delivery-token.ts';
import type { FilePath } from '../../common/core/file-path.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { AccessRecord } from '../records/access-record.ts';
import { rawCmcd } from '../records/cmcd.ts';

/** What becomes known of a request as it is answered, until it is its record. */
export class RequestNote {
  readonly startedAtMs: number;
  scope: FileScope | undefined;
  range: readonly [first: number, last: number] | undefined;
  cache: 'hit' | 'miss' | undefined;
  sentBytes = 0;
  isCut = false;
  readonly #request: IncomingMessage;
  readonly #clock: Clock;
  readonly #timeMs: number;
  /** Asked for now: a socket that is closed has none. */
  readonly #address: string | undefined;
  readonly #tls: string | undefined;
  #file: AccessRecord['file'];
  #ttfbMs: number | undefined;

  constructor(request: IncomingMessage, clock: Clock) {
    this.#request = request;
    this.#clock = clock;
    this.startedAtMs = clock.monotonicMs();
    this.#timeMs = clock.nowMs();
    this.#address = request.socket.remoteAddress;
    this.#tls = tlsVersion(request.socket);
  }

  /** It names this file. The token stays out of every record (ADR 3). */
  asksFor({ file, ext }: FilePath): void {
    this.#file = { file, ext };
  }

  /** The head of the answer has been written; returns how long that took. */
  begun(): number {
    this.#ttfbMs ??= this.#elapsedMs();
    return this.#ttfbMs;
  }

  /** The record of the request, which is over now. */
  over(status: number): AccessRecord {
    const { method, url, headers } = this.#request;
    const durationMs = this.#elapsedMs();
    return {
      timeMs: this.#timeMs,
      file: this.#file,
      status,
      range: this.range,
      sentBytes: this.sentBytes,
      durationMs,
      ttfbMs: this.#ttfbMs ?? durationMs,
      cache: this.cache,
      scope: this.scope,
      tls: this.#tls,
      address: this.#address,
      isHead: method === 'HEAD',
      isCut: this.isCut,
      cmcd: this.#file && rawCmcd(url ?? '', headers),
    };
  }

  #elapsedMs(): number {
    return this.#clock.monotonicMs() - this.startedAtMs;
  }
}

/** `1.3` of a connection by TLS. */
function tlsVersion(socket: object): string | undefined {
  // A TLS socket of Node, or a stream of the native engine.
  const { getProtocol } = socket as { getProtocol?: () => string | null };
  return getProtocol === undefined ? undefined : getProtocol.call(socket)?.replace(/^TLSv/, '');
}

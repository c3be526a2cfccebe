import type { Clock } from './clock.ts';

/** What is answered with 200. The headers are rendered once for each object that holds them. */
export interface LeanAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer as it is sent. Text of one byte a character is copied, not encoded. */
export interface LeanReply {
  readonly text: string;
  readonly encoding: 'latin1' | 'utf8';
}

const SECOND_MS = 1000;

/** Renders answers for connections that are kept. */
export class LeanReplies {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #keepAlive: string;
  readonly #heads = new WeakMap<object, string>();
  #date = '';
  #dateAtS = -1;

  constructor(clock: Pick<Clock, 'nowMs'>, keepAliveMs: number) {
    this.#clock = clock;
    const seconds = Math.floor(keepAliveMs / SECOND_MS);
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`;
  }

  render({ headers, body }: LeanAnswer): LeanReply {
    const size = Buffer.byteLength(body);
    const head = `${this.#headOf(headers)}${this.#dateNow()}${this.#keepAlive}Content-Length: ${size}\r\n\r\n`;
    return { text: head + body, encoding: size === body.length ? 'latin1' : 'utf8' };
  }

  #headOf(headers: LeanAnswer['headers']): string {
    const known = this.#heads.get(headers);
    if (known !== undefined) return known;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `HTTP/1.1 200 OK\r\n${lines.join('')}`;
    this.#heads.set(headers, head);
    return head;
  }

  /** RFC 9110 §6.6.1. */
  #dateNow(): string {
    const atS = Math.floor(this.#clock.nowMs() / SECOND_MS);
    if (atS !== this.#dateAtS) {
      this.#dateAtS = atS;
      this.#date = `Date: ${new Date(atS * SECOND_MS).toUTCString()}\r\n`;
    }
    return this.#date;
  }
}

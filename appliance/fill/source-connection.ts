import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { assert } from '../../common/runtime/errors.ts';
import { parseAnswerHead, type AnswerHead } from './http-head.ts';
import { fails } from './source-failure.ts';

/** What an exchange does with its connection. */
export interface Flow {
  /** Goes on reading: there is space again. */
  resume(): void;
  /** Ends the connection: nothing more of the answer is wanted. */
  cut(): void;
}

/** Takes one answer. */
export interface Exchange {
  /** It is being asked for; by the flow it may be ended at any time. */
  asked(flow: Flow): void;
  /** The head of the answer is here. Throws where its body is of no use; that is given up then. */
  answered(head: AnswerHead): void;
  /** Where the next bytes of the body are to go; undefined to read no further until `resume`. */
  space(): Buffer | undefined;
  /** So many bytes of the body are in the space given last, from its beginning on. */
  took(bytes: number): void;
  /** The whole answer was taken, unless it is over with an error. Called once. */
  ended(error?: Error): void;
}

export interface SourceConnectionOptions {
  /** `http:` or `https:`, host and port. */
  origin: URL;
  /** A source that sends nothing for so long has stalled. */
  stallMs: number;
  /** The exchange is over and the connection may be used again. */
  onIdle: () => void;
  onClose: () => void;
}

/** A head may have so many bytes; what of a body comes in one read with it is copied. */
const headBytesMax = 16 * 1024;
/** The rest of an answer that is of no use is read if it is no longer, for the connection's sake. */
const uselessBytesMax = 16 * 1024;
/** One that brings less than this, over so many times that of a stall, has stalled: a byte now and then would hold a transfer for days. */
const bytesPerSecondMin = 4096;
const rateStalls = 3;
const headEnd = Buffer.from('\r\n\r\n');

type State = 'idle' | 'head' | 'body' | 'rest';

/**
 * One kept-alive HTTP/1.1 connection, for one exchange at a time. Bodies are read from the kernel straight into the memory that the
 * exchange gives: clients for all purposes copy each byte once or twice more, and make and forget a buffer for every 64 KiB, which
 * together is half of what a fill costs besides its hashes.
 */
export class SourceConnection implements Flow {
  readonly #options: SourceConnectionOptions;
  readonly #socket: Socket;
  /** Where heads are read to, and whatever comes while there is no space. */
  readonly #scratch = Buffer.allocUnsafeSlow(headBytesMax);
  /** The space that is read into now. */
  #direct: Buffer | undefined;
  /** What is left in the scratch buffer; nothing is read meanwhile. */
  #kept: Buffer | undefined;
  #head = Buffer.alloc(0);
  #state: State = 'idle';
  #exchange: Exchange | undefined;
  #unheard: (() => void) | undefined;
  #leftBytes = 0;
  #isKeptAlive = true;
  #isReading = true;
  #reads = 0;
  /** Of the body, since its rate was last judged; and whether we did not read on meanwhile. */
  #watchedBytes = 0;
  #isHeldUp = false;
  #watch: NodeJS.Timeout | undefined;
  /** Anything of the answer to the last request has come. */
  #isAnswered = false;

  constructor(options: SourceConnectionOptions) {
    this.#options = options;
    this.#socket = connectTo(options.origin, {
      buffer: () => this.#next(),
      callback: (bytes, into) => this.#received(bytes, into),
    });
    this.#socket.setNoDelay(true);
    this.#socket.on('timeout', () => {
      const readsBefore = this.#reads;
      // Where this process itself stood still, what has come meanwhile is read first.
      setImmediate(() => {
        this.#stalled(readsBefore);
      });
    });
    this.#socket.on('error', (error) => {
      this.#lost(fails(error.message, error));
    });
    this.#socket.on('end', () => {
      this.#lost(fails('the answer ended early'));
    });
    this.#socket.on('close', () => {
      this.#lost(fails('the connection was closed'));
      options.onClose();
    });
  }

  /** Asks for something. `unheard`, where given, is called instead of `ended` when the connection turns out to have been closed before. */
  ask(
    { path, headers }: { path: string; headers: Readonly<Record<string, string>> },
    exchange: Exchange,
    unheard?: () => void,
  ): void {
    assert(this.#exchange === undefined, 'a connection has one exchange at a time');
    this.#exchange = exchange;
    this.#unheard = unheard;
    this.#state = 'head';
    this.#isAnswered = false;
    exchange.asked(this);
    if (this.#socket.destroyed) return;
    const lines = Object.entries({ host: this.#options.origin.host, ...headers });
    const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    this.#socket.setTimeout(this.#options.stallMs);
    this.#watchRate();
    this.#socket.write(`GET ${path} HTTP/1.1\r\n${fields}\r\n`, 'latin1');
  }

  resume(): void {
    if (this.#isReading || this.#socket.destroyed) return;
    const kept = this.#kept;
    this.#kept = undefined;
    this.#isReading = true;
    if (kept !== undefined && !this.#take(kept)) return;
    this.#socket.setTimeout(this.#options.stallMs);
    this.#socket.resume();
  }

  cut(): void {
    this.#exchange = undefined;
    clearTimeout(this.#watch);
    this.#socket.destroy();
  }

  #stalled(readsBefore: number): void {
    if (this.#socket.destroyed) return;
    if (this.#reads !== readsBefore) this.#socket.setTimeout(this.#options.stallMs);
    // What it does not send while nothing is read is not its fault.
    else if (this.#state === 'idle' || this.#isReading) this.#end(fails('it has stalled'));
  }

  /** From now on it has so long for what it must bring. */
  #watchRate(): void {
    clearTimeout(this.#watch);
    this.#watchedBytes = 0;
    this.#isHeldUp = !this.#isReading;
    const watch = setTimeout(() => {
      // As for silence: what has come while this process stood still is read first.
      setImmediate(() => {
        if (this.#watch === watch) this.#judgeRate();
      });
    }, rateStalls * this.#options.stallMs);
    this.#watch = watch;
  }

  #judgeRate(): void {
    if (this.#socket.destroyed || this.#state === 'idle') return;
    const isSlow = this.#watchedBytes < (bytesPerSecondMin * rateStalls * this.#options.stallMs) / 1000;
    if (isSlow && !this.#isHeldUp) this.#end(fails('it has stalled'));
    else this.#watchRate();
  }

  #holdUp(): void {
    this.#isReading = false;
    this.#isHeldUp = true;
  }

  /** Where the next read goes. */
  #next(): Buffer {
    this.#direct = this.#state === 'body' && this.#isReading ? this.#space() : undefined;
    return this.#direct ?? this.#scratch;
  }

  #space(): Buffer | undefined {
    const space = this.#exchange?.space();
    return space !== undefined && space.length > this.#leftBytes ? space.subarray(0, this.#leftBytes) : space;
  }

  #received(bytes: number, into: Uint8Array): boolean {
    this.#isAnswered = true;
    this.#reads++;
    if (into === this.#direct) this.#took(bytes);
    else this.#take(this.#scratch.subarray(0, bytes));
    // Without space the next read would have nowhere to go.
    if (this.#isReading && this.#state === 'body' && this.#space() === undefined) this.#holdUp();
    return this.#isReading;
  }

  /** Takes what was read to the scratch buffer. @returns whether to read on. */
  #take(part: Buffer): boolean {
    let rest = part;
    while (rest.length > 0 && !this.#socket.destroyed) {
      if (this.#state === 'head') rest = this.#takeHead(rest);
      else if (this.#state === 'body') {
        const space = this.#space();
        if (space === undefined) {
          this.#kept = rest;
          this.#holdUp();
          return false;
        }
        const bytes = rest.copy(space);
        rest = rest.subarray(bytes);
        this.#took(bytes);
      } else if (this.#state === 'rest' && rest.length <= this.#leftBytes) {
        this.#leftBytes -= rest.length;
        rest = rest.subarray(rest.length);
        if (this.#leftBytes === 0) this.#over();
      } else this.#end(fails('it sent more than was asked for'));
    }
    return this.#isReading;
  }

  /** @returns what follows the head. */
  #takeHead(part: Buffer): Buffer {
    const head = Buffer.concat([this.#head, part]);
    const end = head.indexOf(headEnd);
    if (end < 0 || end > headBytesMax) {
      if (head.length > headBytesMax) this.#end(fails('its answer has too long a head'));
      else this.#head = head;
      return head.subarray(head.length);
    }
    this.#head = Buffer.alloc(0);
    const parsed = parseAnswerHead(head.toString('latin1', 0, end));
    if (parsed === undefined) this.#end(fails('its answer is not HTTP'));
    // RFC 9110 §15.2: interim answers may come before the final one.
    else if (parsed.status >= 200) this.#answer(parsed);
    return head.subarray(end + headEnd.length);
  }

  #answer(head: AnswerHead): void {
    const exchange = this.#exchange;
    this.#watchRate();
    this.#isKeptAlive = head.isKept;
    this.#leftBytes = head.lengthBytes ?? 0;
    try {
      exchange?.answered(head);
      if (head.lengthBytes === undefined) throw fails('its answer has no length');
      this.#state = 'body';
    } catch (error) {
      this.#state = 'rest';
      this.#exchange = undefined;
      if (!head.isKept || this.#leftBytes > uselessBytesMax) this.#socket.destroy();
      exchange?.ended(error as Error);
    }
    if (this.#leftBytes === 0) this.#over();
  }

  #took(bytes: number): void {
    this.#direct = undefined;
    this.#leftBytes -= bytes;
    this.#watchedBytes += bytes;
    this.#exchange?.took(bytes);
    if (this.#leftBytes === 0) this.#over();
  }

  /** The answer has been read to its end. */
  #over(): void {
    if (this.#socket.destroyed) return;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    clearTimeout(this.#watch);
    this.#state = 'idle';
    exchange?.ended();
    if (this.#isKeptAlive) this.#options.onIdle();
    else this.#socket.destroy();
  }

  /** The connection is gone. A source may end one that is kept alive at the moment when it is used again. */
  #lost(error: Error): void {
    const unheard = this.#unheard;
    if (this.#exchange === undefined || this.#isAnswered || unheard === undefined) return this.#end(error);
    this.#exchange = undefined;
    clearTimeout(this.#watch);
    this.#socket.destroy();
    unheard();
  }

  #end(error: Error): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    clearTimeout(this.#watch);
    this.#socket.destroy();
    exchange?.ended(error);
  }
}

function connectTo(origin: URL, onread: OnReadOpts): Socket {
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  if (origin.protocol !== 'https:') return connectTcp({ host, port: Number(origin.port || 80), onread });
  // The types of Node know `onread` of plain connections only.
  const options = { host, port: Number(origin.port || 443), onread, ALPNProtocols: ['http/1.1'] };
  return connectTls(isIP(host) === 0 ? { ...options, servername: host } : options);
}

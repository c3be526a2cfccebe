import type { FieldList } from '../../common/core/lean-request.ts';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { coded } from '../../common/runtime/errors.ts';
import { answerHeadBytesMax, readAnswerHead, type AnswerHead } from './core/answer-head.ts';
import { ChunkedBody } from './core/chunked-body.ts';

/** Why a request has no answer. `unsent`: nothing of it has reached the service; `late`: it took too long. */
export type FailureKind = 'unsent' | 'failed' | 'late';

/** One request to a service, and what hears its answer. Nothing is heard after `answerEnd`, `failed`, or a `false` of `answerBegin`. */
export interface Exchange {
  readonly method: string;
  /** What is sent, in latin1, and after it the body. */
  readonly head: string;
  readonly body: Buffer | null;
  /** The connection over which it is asked; its own matter. */
  connection: UpstreamConnection | undefined;
  /** The head of the answer; false: the rest is not wanted. */
  answerBegin(status: number, fields: FieldList): boolean;
  /** A part of its body; false: no more before `resume`, but for what has come already. */
  answerData(part: Buffer): boolean;
  answerEnd(): void;
  failed(kind: FailureKind, cause: Error): void;
}

/** For how long an answer may keep one waiting. */
export interface UpstreamTimes {
  readonly connectMs: number;
  /** Until an answer begins, which is longer than any long poll; and, before that, for a connection that is free. */
  readonly beginMs: number;
  /** While nothing of it comes. */
  readonly idleMs: number;
  /** A connection that was not used for so long is closed; sooner where the service says that it would. */
  readonly keepMs: number;
}

/** What connections need of the pool that they are in. */
export interface ConnectionPool {
  readonly origin: URL;
  readonly times: UpstreamTimes;
  /** Time in coarse steps: deadlines cost no timers. */
  nowMs(): number;
  /** It can be asked again. */
  free(connection: UpstreamConnection): void;
  /** It is no more. */
  gone(connection: UpstreamConnection): void;
}

// A server that says for how long it keeps a connection may count from a little earlier.
const KEEP_MARGIN_MS = 1000;
const INTERIM_MAX = 16;

/** A connection to a service, over which one request at a time is asked and its answer read. */
export class UpstreamConnection {
  readonly #pool: ConnectionPool;
  readonly #socket: Socket;
  #isOpen = false;
  #exchange: Exchange | undefined;
  #deadlineMs: number;
  /** Of an answer whose head has not come as a whole, what has. */
  #headText = '';
  #interims = 0;
  #head: AnswerHead | undefined;
  #leftBytes = 0;
  #chunks: ChunkedBody | undefined;
  #cause: Error | undefined;
  #isGone = false;

  constructor(pool: ConnectionPool, exchange: Exchange) {
    this.#pool = pool;
    this.#exchange = exchange;
    exchange.connection = this;
    this.#deadlineMs = pool.nowMs() + pool.times.connectMs;
    const { protocol, hostname, port } = pool.origin;
    const isTls = protocol === 'https:';
    const host = hostname.replace(/^\[|\]$/g, '');
    const to = { host, port: Number(port || (isTls ? 443 : 80)), noDelay: true, keepAlive: true };
    const tls = { servername: isIP(host) === 0 ? host : '', ALPNProtocols: ['http/1.1'] };
    this.#socket = isTls ? connectTls({ ...to, ...tls }) : connectTcp(to);
    this.#socket
      .once(isTls ? 'secureConnect' : 'connect', () => this.#connected())
      .on('data', (bytes: Buffer) => {
        this.#read(bytes);
      })
      .on('end', () => this.#ended())
      .on('error', (error) => {
        this.#cause = error;
        // It closes a little later; whoever asks until then would ask nobody.
        this.#leave();
      })
      .on('close', () => this.#closed());
  }

  /** Asks over a connection that is free. */
  ask(exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.connection = this;
    this.#send(exchange);
  }

  /** Reads on, if what is read is still the answer to this. */
  resume(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    this.#deadlineMs = this.#pool.nowMs() + this.#pool.times.idleMs;
    this.#socket.resume();
  }

  /** Its answer is not wanted any more: what is under way on the connection cannot be told from another's. */
  abandon(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    this.#release();
    this.#cut();
  }

  /** Ends what has taken too long. */
  tick(nowMs: number): void {
    if (nowMs < this.#deadlineMs || this.#socket.isPaused()) return;
    const { origin } = this.#pool;
    if (!this.#isOpen) this.#cause = coded('TIMEOUT', `no connection to ${origin.host}`);
    else if (this.#exchange !== undefined) this.#fail('late', coded('TIMEOUT', origin.host));
    this.#cut();
  }

  destroy(): void {
    this.#cut();
  }

  /** It is nobody's from now on, though it closes a little later. */
  #cut(): void {
    this.#leave();
    this.#socket.destroy();
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#pool.gone(this);
  }

  #connected(): void {
    this.#isOpen = true;
    if (this.#exchange === undefined) this.#setFree(undefined);
    else this.#send(this.#exchange);
  }

  #send({ head, body }: Exchange): void {
    this.#deadlineMs = this.#pool.nowMs() + this.#pool.times.beginMs;
    if (body === null) {
      this.#socket.write(head, 'latin1');
      return;
    }
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(body);
    this.#socket.uncork();
  }

  #read(bytes: Buffer): void {
    if (this.#exchange === undefined) {
      // Nothing was asked: whatever it is, it is no answer to what will be.
      this.#cut();
      return;
    }
    if (this.#head === undefined) this.#readHead(this.#exchange, bytes);
    else {
      this.#deadlineMs = this.#pool.nowMs() + this.#pool.times.idleMs;
      this.#readBody(this.#exchange, this.#head, bytes);
    }
  }

  #readHead(exchange: Exchange, bytes: Buffer): void {
    // A head is looked for no further than it may be long; what was read of it before comes again.
    const before = this.#headText.length;
    const text = this.#headText + bytes.toString('latin1', 0, Math.min(bytes.length, answerHeadBytesMax + 4));
    const blank = text.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (blank > answerHeadBytesMax || (blank === -1 && text.length > answerHeadBytesMax)) {
      this.#refuse('its head is too long');
      return;
    }
    if (blank === -1) {
      this.#headText = text;
      return;
    }
    const head = readAnswerHead(text.slice(0, blank + 4), exchange.method);
    this.#headText = '';
    if (head === undefined || head.status === 101) {
      this.#refuse('its answer is no HTTP/1.1');
      return;
    }
    const rest = bytes.subarray(blank + 4 - before);
    if (head.status < 200) this.#skipInterim(rest);
    else this.#begin(exchange, head, rest);
  }

  /** RFC 9110 §15.2: these are between the service and the gateway. */
  #skipInterim(rest: Buffer): void {
    if (++this.#interims > INTERIM_MAX) this.#refuse('it does not come to an answer');
    else if (rest.length > 0) this.#read(rest);
  }

  #begin(exchange: Exchange, head: AnswerHead, rest: Buffer): void {
    const { status, fields, body } = head;
    this.#head = head;
    this.#deadlineMs = this.#pool.nowMs() + this.#pool.times.idleMs;
    if (!exchange.answerBegin(status, fields)) {
      this.abandon(exchange);
      return;
    }
    if (body.kind === 'length') this.#leftBytes = body.bytes;
    else if (body.kind === 'chunks') this.#chunks = new ChunkedBody((part) => this.#give(exchange, part));
    if (body.kind === 'none' || rest.length > 0) this.#readBody(exchange, head, rest);
  }

  #readBody(exchange: Exchange, { body, keepMs }: AnswerHead, bytes: Buffer): void {
    switch (body.kind) {
      case 'none':
        this.#end(exchange, bytes.length === 0 ? keepMs : 0);
        return;
      case 'length': {
        const part = bytes.length > this.#leftBytes ? bytes.subarray(0, this.#leftBytes) : bytes;
        this.#leftBytes -= part.length;
        this.#give(exchange, part);
        if (this.#leftBytes === 0) this.#end(exchange, part.length === bytes.length ? keepMs : 0);
        return;
      }
      case 'chunks': {
        const read = this.#chunks?.read(bytes);
        if (read === -1) this.#refuse('its body is not in chunks, as it says');
        else if (this.#chunks?.isOver === true) this.#end(exchange, read === bytes.length ? keepMs : 0);
        return;
      }
      case 'close':
        this.#give(exchange, bytes);
    }
  }

  #give(exchange: Exchange, part: Buffer): void {
    // Who left while it was read hears no more of it.
    if (this.#exchange === exchange && !exchange.answerData(part)) this.#socket.pause();
  }

  /** The answer is whole. `keepMs`: for how long the connection is good for another; 0 where it is not. */
  #end(exchange: Exchange, keepMs: number | undefined): void {
    if (this.#exchange !== exchange) return;
    this.#release();
    // What has not left of the request would stand before the next.
    if (keepMs === 0 || this.#socket.writableLength > 0 || this.#isGone) this.#cut();
    else this.#setFree(keepMs);
    exchange.answerEnd();
  }

  #setFree(keepMs: number | undefined): void {
    const { keepMs: ownMs } = this.#pool.times;
    const forMs = keepMs === undefined ? ownMs : Math.min(ownMs, keepMs - KEEP_MARGIN_MS);
    if (forMs <= 0) {
      this.#cut();
      return;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#deadlineMs = this.#pool.nowMs() + forMs;
    this.#pool.free(this);
  }

  #release(): void {
    // It may be asked over another already.
    if (this.#exchange?.connection === this) this.#exchange.connection = undefined;
    this.#exchange = undefined;
    this.#head = undefined;
    this.#chunks = undefined;
    this.#interims = 0;
  }

  #refuse(why: string): void {
    this.#fail('failed', coded('UPSTREAM_FAILED', why));
    this.#cut();
  }

  #fail(kind: FailureKind, cause: Error): void {
    const exchange = this.#exchange;
    this.#release();
    exchange?.failed(kind, cause);
  }

  #ended(): void {
    const exchange = this.#exchange;
    if (this.#head?.body.kind === 'close' && exchange !== undefined) this.#end(exchange, 0);
    else this.#cut();
  }

  #closed(): void {
    this.#leave();
    const cause = this.#cause ?? coded('UPSTREAM_FAILED', 'it closed the connection');
    this.#fail(this.#isOpen ? 'failed' : 'unsent', cause);
  }
}

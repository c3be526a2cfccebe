import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** Fields of an answer by their names in lower case; one that is sent more than once has several values. */
export type AnswerFields = Readonly<Record<string, string | readonly string[]>>;

/** Where an answer goes, whatever server the request came by. */
export interface AnswerSink {
  /** Nobody waits for the answer any more. */
  readonly isGone: boolean;
  readonly hasBegun: boolean;
  /** Tells `leave` when nobody waits any more, until the answer has ended or another is told. */
  whenGone(leave: (() => void) | undefined): void;
  begin(status: number, fields: AnswerFields): void;
  /** False: no more is to be written before `resume` is called. */
  write(chunk: Buffer, resume: () => void): boolean;
  end(): void;
  /** Ends the connection, so that the client sees that something is missing. */
  cut(): void;
}

export interface BareReplyOptions {
  readonly socket: Socket;
  /** The fields of the connection, and the date: lines with their ends. */
  readonly lines: () => { readonly connection: string; readonly date: string };
  /** Hears that the answer has ended. */
  readonly onEnd: () => void;
}

/** An answer this small leaves with its head as one text, byte by byte the same, for half of what two buffers cost. */
const SMALL_BYTES = 4096;

/** Writes one answer of HTTP/1.1 to a connection (RFC 9112 §6), of a request that was a GET. */
export class BareReply implements AnswerSink {
  readonly #options: BareReplyOptions;
  #state: 'waiting' | 'begun' | 'over' = 'waiting';
  #leave: (() => void) | undefined;
  /** A head that waits for its small body. */
  #head = '';
  #isInChunks = false;
  #status = 0;

  constructor(options: BareReplyOptions) {
    this.#options = options;
  }

  get isGone(): boolean {
    return this.#options.socket.destroyed;
  }

  get hasBegun(): boolean {
    return this.#state !== 'waiting';
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** What it was begun with; 0 before. */
  get status(): number {
    return this.#status;
  }

  whenGone(leave: (() => void) | undefined): void {
    this.#leave = leave;
  }

  /** The connection has closed. */
  gone(): void {
    this.#state = 'over';
    this.#leave?.();
  }

  begin(status: number, fields: AnswerFields): void {
    const { lines, socket } = this.#options;
    const { connection, date } = lines();
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    for (const [name, value] of Object.entries(fields)) {
      if (typeof value === 'string') head += `${name}: ${value}\r\n`;
      else for (const one of value) head += `${name}: ${one}\r\n`;
    }
    if (fields['date'] === undefined) head += date;
    head += connection;
    const length = fields['content-length'];
    // RFC 9110 §6.4.1: these have no body.
    const isBare = status === 204 || status === 304;
    this.#isInChunks = !isBare && length === undefined;
    head += this.#isInChunks ? 'transfer-encoding: chunked\r\n\r\n' : '\r\n';
    this.#status = status;
    this.#state = 'begun';
    if (isBare || Number(length) <= SMALL_BYTES) this.#head = head;
    else socket.write(head, 'latin1');
  }

  write(chunk: Buffer, resume: () => void): boolean {
    const { socket } = this.#options;
    let isRoom: boolean;
    if (this.#head !== '') {
      isRoom = socket.write(this.#head + chunk.toString('latin1'), 'latin1');
      this.#head = '';
    } else if (this.#isInChunks) {
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      isRoom = socket.write('\r\n', 'latin1');
      socket.uncork();
    } else {
      isRoom = socket.write(chunk);
    }
    if (!isRoom) socket.once('drain', resume);
    return isRoom;
  }

  end(): void {
    if (this.#state !== 'begun') return;
    this.#state = 'over';
    const rest = this.#head + (this.#isInChunks ? '0\r\n\r\n' : '');
    if (rest !== '') this.#options.socket.write(rest, 'latin1');
    this.#options.onEnd();
  }

  cut(): void {
    this.#options.socket.destroy();
  }
}

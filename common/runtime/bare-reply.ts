import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FieldList } from '../core/lean-request.ts';

/** Hears that nobody waits for an answer any more. */
export interface AnswerWatcher {
  left(): void;
}

/** Hears that more may be written. */
export interface AnswerWriter {
  drained(): void;
}

/** Where an answer goes, whatever server the request came by. */
export interface AnswerSink {
  /** Nobody waits for the answer any more. */
  readonly isGone: boolean;
  readonly hasBegun: boolean;
  /** Tells `watcher` when nobody waits any more, until the answer has ended or another is told. */
  watch(watcher: AnswerWatcher | undefined): void;
  begin(status: number, fields: FieldList): void;
  /** False: no more is to be written before `writer` hears that it is drained. */
  write(chunk: Buffer, writer: AnswerWriter): boolean;
  end(): void;
  /** Ends the connection, so that the client sees that something is missing. */
  cut(): void;
}

/** The connection that an answer goes over. */
export interface BareConnection {
  readonly socket: Socket;
  /** The fields of the connection, and the date: lines with their ends. */
  lines(): { readonly connection: string; readonly date: string };
  /** The answer has ended. */
  answered(): void;
}

/** An answer this small leaves with its head as one text, byte by byte the same, for half of what two buffers cost. */
const SMALL_BYTES = 4096;

/** Writes one answer of HTTP/1.1 to a connection (RFC 9112 §6), of a request that was a GET or a POST. */
export class BareReply implements AnswerSink {
  readonly #connection: BareConnection;
  #state: 'waiting' | 'begun' | 'over' = 'waiting';
  #watcher: AnswerWatcher | undefined;
  /** A head that waits for its small body. */
  #head = '';
  #isInChunks = false;
  /** Whether somebody is told already when more may be written. */
  #isFull = false;
  #status = 0;

  constructor(connection: BareConnection) {
    this.#connection = connection;
  }

  get isGone(): boolean {
    return this.#connection.socket.destroyed;
  }

  /** A head that waits for its body is nothing that the client has: the answer may begin anew, as another one. */
  get hasBegun(): boolean {
    return this.#state !== 'waiting' && this.#head === '';
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** What it was begun with; 0 before. */
  get status(): number {
    return this.#status;
  }

  watch(watcher: AnswerWatcher | undefined): void {
    this.#watcher = watcher;
  }

  /** The connection has closed. */
  gone(): void {
    this.#state = 'over';
    this.#watcher?.left();
  }

  begin(status: number, fields: FieldList): void {
    const { connection, date } = this.#connection.lines();
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
    let length: string | undefined;
    let isDated = false;
    for (let at = 0; at < fields.length; at += 2) {
      const [name = '', value = ''] = [fields[at], fields[at + 1]];
      head += `${name}: ${value}\r\n`;
      if (name === 'content-length') length = value;
      else if (name === 'date') isDated = true;
    }
    if (!isDated) head += date;
    head += connection;
    // RFC 9110 §6.4.1: these have no body.
    const isBare = status === 204 || status === 304;
    this.#isInChunks = !isBare && length === undefined;
    head += this.#isInChunks ? 'transfer-encoding: chunked\r\n\r\n' : '\r\n';
    this.#status = status;
    this.#state = 'begun';
    const waits = isBare || Number(length) <= SMALL_BYTES;
    this.#head = waits ? head : '';
    if (!waits) this.#connection.socket.write(head, 'latin1');
  }

  write(chunk: Buffer, writer: AnswerWriter): boolean {
    const { socket } = this.#connection;
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
    if (!isRoom && !this.#isFull) {
      this.#isFull = true;
      socket.once('drain', () => {
        this.#isFull = false;
        writer.drained();
      });
    }
    return isRoom;
  }

  end(): void {
    if (this.#state !== 'begun') return;
    this.#state = 'over';
    const rest = this.#head + (this.#isInChunks ? '0\r\n\r\n' : '');
    if (rest !== '') this.#connection.socket.write(rest, 'latin1');
    this.#connection.answered();
  }

  cut(): void {
    this.#connection.socket.destroy();
  }
}

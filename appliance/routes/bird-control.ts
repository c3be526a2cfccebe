import { createConnection, type Socket } from 'node:net';

import { BirdLines, isBirdError, type OnBirdLine } from '../core/routes/bird-lines.ts';
import { coded, systemCode, type CodedError } from '../../common/runtime/errors.ts';

/** A daemon that says nothing for so long is taken for dead, also in the middle of an answer. */
const silentMs = 5000;
/** However slowly it goes on: an answer of millions of routes takes seconds. */
const replyMs = 120_000;

interface Waiting {
  readonly onLine: OnBirdLine;
  readonly done: () => void;
  readonly failed: (error: CodedError) => void;
}

/**
 * A connection to BIRD's control socket, restricted to what only looks, as `birdc -r` makes it. One command at a time.
 * Every failure is ROUTE_SOURCE_UNAVAILABLE or ROUTE_SOURCE_UNREADABLE and ends the connection; so does the signal.
 */
export class BirdControl {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #lines = new BirdLines(() => undefined);
  #failure: CodedError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.setTimeout(silentMs);
    socket.on('timeout', () => {
      // Between commands nobody has to say anything.
      if (this.#waiting !== undefined) this.#fail(`it has said nothing for ${silentMs / 1000} s`);
    });
    socket.on('data', (piece: string) => {
      this.#take(piece);
    });
    socket.on('error', (error) => {
      this.#fail(systemCode(error) ?? 'it failed', error);
    });
    socket.on('close', () => {
      this.#fail('it was closed');
    });
  }

  /** Connects, and gives up every right to change something. */
  static async open(path: string, signal: AbortSignal): Promise<BirdControl> {
    const socket = createConnection({ path, signal });
    const control = new BirdControl(socket);
    try {
      await control.#reply(() => undefined);
      await control.ask('restrict', () => undefined);
      return control;
    } catch (error) {
      control.close();
      throw error;
    }
  }

  /** Sends a command and resolves behind the last line of the reply; each line is told as it comes. */
  async ask(command: string, onLine: OnBirdLine): Promise<void> {
    let refusal: string | undefined;
    const replied = this.#reply((code, text) => {
      if (isBirdError(code)) refusal = `${String(code)} ${text}`;
      else onLine(code, text);
    });
    this.#socket.write(`${command}\n`);
    const timer = setTimeout(() => {
      this.#fail(`it has not answered in ${replyMs / 1000} s`);
    }, replyMs);
    try {
      await replied;
    } finally {
      clearTimeout(timer);
    }
    if (refusal !== undefined)
      throw coded('ROUTE_SOURCE_UNREADABLE', `BIRD answers \`${command}\` with ${refusal}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #reply(onLine: OnBirdLine): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#lines = new BirdLines(onLine);
      this.#waiting = { onLine, done: resolve, failed: reject };
    });
  }

  #take(piece: string): void {
    const waiting = this.#waiting;
    const taken = this.#lines.push(piece);
    if (!taken.ok || waiting === undefined) {
      this.#fail(taken.ok ? 'it speaks without being asked' : taken.detail);
    } else if (taken.value) {
      this.#waiting = undefined;
      waiting.done();
    }
  }

  #fail(detail: string, cause?: unknown): void {
    this.#failure ??= coded('ROUTE_SOURCE_UNAVAILABLE', {
      detail: `BIRD's control socket: ${detail}`,
      cause,
    });
    this.#socket.destroy();
    this.#waiting?.failed(this.#failure);
    this.#waiting = undefined;
  }
}

import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { coded, toProblem, type CodedError } from '../../common/runtime/errors.ts';
import { planProblem, type ResponsePlan } from '../core/respond.ts';
import type { OpenContent, Piece } from '../store/content.ts';
import type { WatchedTransfer } from './rate-floor.ts';

/** After this whoever was shed may come back. */
const retryAfterShedMs = 2000;
const retryAfterDrainMs = 30_000;

/** Shed load: another box has room. */
export function overloaded(): CodedError {
  return coded('OVERLOADED', { retryAfterMs: retryAfterShedMs });
}

/** New sessions are turned away for the rest of this box's time. */
export function draining(): CodedError {
  return coded('DRAINING', { retryAfterMs: retryAfterDrainMs });
}

/** Whether a client is still there, told by its socket: a response that waits in a pipeline hears of nothing else. */
export class ClientWatch {
  readonly #socket: Socket;
  readonly #onClose: () => void;
  #gone: boolean;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#gone = socket.destroyed;
    this.#onClose = () => {
      this.#gone = true;
      this.#wake?.();
    };
    socket.once('close', this.#onClose);
  }

  /** Writes and waits until the kernel has it all; false when the client is gone, and then the bytes may still be looked at. */
  write(response: ServerResponse, bytes: Uint8Array): Promise<boolean> {
    if (this.#gone) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#wake = () => {
        resolve(false);
      };
      response.write(bytes, (error) => {
        this.#wake = undefined;
        resolve(error === undefined || error === null);
      });
    });
  }

  end(): void {
    this.#socket.off('close', this.#onClose);
  }
}

/** Sends an answer without a body, or with a short text that is here already. */
export function sendHead(response: ServerResponse, plan: ResponsePlan, text?: string): void {
  response.writeHead(plan.status, plan.headers);
  response.end(text);
}

/** The problem as it goes over the wire. What is our disk's fault reads as shed load: players then leave at once. */
export function sendProblem(response: ServerResponse, error: CodedError, options: { head: boolean }): void {
  const shown =
    error.status === 503
      ? coded('OVERLOADED', { detail: 'the storage cannot be read now', cause: error })
      : error;
  const problem = toProblem(shown);
  const text = JSON.stringify(problem);
  const retryAfterS =
    problem.status === 429 ? Math.ceil((shown.retryAfterMs ?? retryAfterShedMs) / 1000) : undefined;
  const plan = planProblem(problem, { lengthBytes: Buffer.byteLength(text), retryAfterS });
  sendHead(response, plan, options.head ? undefined : text);
}

/** The whole answer to what is refused before anything looks at it: problem and end of the connection; no Date. */
export function problemAnswer(error: CodedError): Buffer {
  const problem = toProblem(error);
  const text = JSON.stringify(problem);
  const retryAfterS = error.retryAfterMs === undefined ? undefined : Math.ceil(error.retryAfterMs / 1000);
  const { headers } = planProblem(problem, { lengthBytes: Buffer.byteLength(text), retryAfterS });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const line = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n`;
  return Buffer.from(`${line}${lines.join('')}Connection: close\r\n\r\n${text}`);
}

/**
 * Sends a range of a file: one piece is on its way to the kernel while the next is read, never more, so a slow client
 * slows its own reads only. Returns how many bytes have left; throws what a read throws. `first` is released in any case.
 */
export async function sendRange(options: {
  response: ServerResponse;
  client: ClientWatch;
  content: OpenContent;
  first: Piece;
  start: number;
  end: number;
  onSent: (bytes: number) => void;
  floor: WatchedTransfer;
}): Promise<'sent' | 'gone'> {
  const { response, client, content, end, onSent, floor } = options;
  let piece = options.first;
  let position = options.start;
  for (;;) {
    const { length } = piece.bytes;
    const nextAt = position + length;
    const next = nextAt <= end ? content.read(nextAt, end - nextAt + 1) : undefined;
    // Its failure is met below; until then it must not count as unhandled.
    next?.catch(() => undefined);
    floor.sending(length);
    const taken = await client.write(response, piece.bytes);
    if (!taken) {
      // The piece is left to the garbage collector: the kernel may not be done with it.
      await next?.then(
        (unused) => {
          unused.release();
        },
        () => undefined,
      );
      return 'gone';
    }
    piece.release();
    floor.sent(length);
    onSent(length);
    if (next === undefined) return 'sent';
    piece = await next;
    position = nextAt;
  }
}

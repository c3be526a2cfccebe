import type { Dispatcher } from 'undici';

import { chunkCount, chunkLengthBytes, chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { PartialFile } from '../store/partial-file.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { Pacer } from './pacer.ts';
import { asSourceError, fails, lies, refusal } from './source-failure.ts';
import type { Transfer } from './transfer.ts';

export interface ReceiverOptions {
  partial: PartialFile;
  transfer: Transfer;
  /** Hears of each chunk that is on the disk. */
  onChunk: (bytes: number) => void;
  buffers: ChunkBuffers;
  pacer: Pacer;
  clock: Clock;
  signal: AbortSignal;
}

/** A refusal may have so long a body before its connection is given up. */
const refusalBytesMax = 16 * 1024;

/**
 * Takes the answer to one range request: cuts it into chunks, and has each verified and written while the next one comes.
 * What comes is copied once, into the buffer that is hashed and written. It reads no faster than the pacer allows and the
 * disk takes: the source is held up by its full pipe. When its transfer is made shorter it ends with the chunk that is last then.
 */
export class ChunkReceiver implements Dispatcher.DispatchHandler {
  /** Resolves when all chunks of the transfer are on the disk. Rejects with SourceError, ABORTED, or what the disk throws. */
  readonly done: Promise<void>;
  readonly #options: ReceiverOptions;
  readonly #settle = Promise.withResolvers<void>();
  readonly #onAbort = (): void => {
    this.#fail(this.#options.signal.reason);
  };
  /** What was asked for; the transfer may have become shorter since. */
  readonly #range: { readonly start: number; readonly end: number; readonly last: number };
  #controller: Dispatcher.DispatchController | undefined;
  #parts: Buffer[] = [];
  #buffer: Buffer | undefined;
  #filledBytes = 0;
  #refusal: Error | undefined;
  #refusalBytes = 0;
  /** Reasons not to read on: the pacer's, or that no buffer is free. */
  #holds = 0;
  #writes = 0;
  #hasEnded = false;
  #isOver = false;
  #error: Error | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.done = this.#settle.promise;
    // It may fail before anybody waits for it.
    this.done.catch(() => undefined);
    const { partial, transfer, signal } = options;
    const { first, last } = transfer;
    const end = Math.min(partial.tree.sizeBytes, (last + 1) * chunkSizeBytes) - 1;
    this.#range = { start: first * chunkSizeBytes, end, last };
    transfer.onShorter = () => {
      this.#endIfEnough();
    };
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** The value of the Range header to ask with. */
  get range(): string {
    return `bytes=${this.#range.start}-${this.#range.end}`;
  }

  /** It could not be asked for. */
  abandon(error: unknown): void {
    this.#fail(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) this.#cut();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    const { partial, transfer } = this.#options;
    const { start, end, last } = this.#range;
    const isWhole = transfer.first === 0 && last === chunkCount(partial.tree.sizeBytes) - 1;
    if (status === 206 && headers['content-range'] === `bytes ${start}-${end}/${partial.tree.sizeBytes}`)
      return;
    if (status === 200 && isWhole) return;
    this.#refusal = refusal(status, headers['retry-after']);
  }

  onResponseData(_controller: Dispatcher.DispatchController, part: Buffer): void {
    if (this.#isOver) return;
    if (this.#refusal !== undefined) {
      // Its connection may be used again only if the rest is short.
      this.#refusalBytes += part.length;
      if (this.#refusalBytes > refusalBytesMax) this.#fail(this.#refusal);
      return;
    }
    const { transfer, pacer, clock, signal } = this.#options;
    transfer.receivedBytes += part.length;
    this.#parts.push(part);
    const waitMs = pacer.take(part.length, transfer.node);
    if (waitMs > 0) this.#hold(clock.sleep(waitMs, { signal }));
    this.#work();
  }

  onResponseEnd(): void {
    this.#hasEnded = true;
    if (this.#refusal !== undefined) this.#fail(this.#refusal);
    else this.#work();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#hasEnded = true;
    // Ours, where it was cut.
    if (!this.#isOver) this.#fail(error);
  }

  #hold(until: Promise<void>): void {
    this.#holds++;
    this.#controller?.pause();
    void until
      .catch(() => undefined)
      .then(() => {
        this.#holds--;
        this.#work();
      });
  }

  /** Cuts what has come into chunks for as long as it may. */
  #work(): void {
    while (this.#holds === 0 && !this.#isOver) {
      const part = this.#parts[0];
      if (part === undefined) break;
      const buffer = (this.#buffer ??= this.#options.buffers.take());
      if (buffer === undefined) {
        this.#hold(this.#options.buffers.returned());
        return;
      }
      this.#fill(buffer, part);
    }
    if (this.#isOver || this.#holds > 0) return;
    if (this.#hasEnded) this.#fail(fails('the answer ended early'));
    else if (this.#controller?.paused === true) this.#controller.resume();
  }

  #fill(buffer: Buffer, part: Buffer): void {
    const { partial, transfer } = this.#options;
    const lengthBytes = chunkLengthBytes(partial.tree.sizeBytes, transfer.next);
    const takenBytes = part.copy(buffer, this.#filledBytes, 0, lengthBytes - this.#filledBytes);
    this.#filledBytes += takenBytes;
    if (takenBytes === part.length) this.#parts.shift();
    else this.#parts[0] = part.subarray(takenBytes);
    if (this.#filledBytes < lengthBytes) return;
    this.#buffer = undefined;
    this.#filledBytes = 0;
    void this.#write(transfer.next, buffer, lengthBytes);
    transfer.next++;
    this.#endIfEnough();
  }

  async #write(index: number, buffer: Buffer, lengthBytes: number): Promise<void> {
    const { partial, buffers, onChunk } = this.#options;
    this.#writes++;
    try {
      if (await partial.put(index, buffer.subarray(0, lengthBytes))) onChunk(lengthBytes);
      else this.#fail(lies(`chunk ${index} does not match its hash`));
    } catch (error) {
      this.#fail(error);
    } finally {
      buffers.giveBack(buffer);
      this.#writes--;
      this.#settleIfDone();
    }
  }

  #endIfEnough(): void {
    const { transfer } = this.#options;
    if (this.#isOver || transfer.next <= transfer.last) return;
    const isWanted = transfer.last === this.#range.last;
    const surplus = this.#parts.length > 0;
    if (isWanted && surplus) this.#fail(lies('more bytes than asked for'));
    else this.#end(isWanted);
  }

  #fail(error: unknown): void {
    this.#error ??= asSourceError(error, this.#options.signal);
    this.#end(false);
  }

  /** Nothing more is wanted of the answer: its end is awaited where all of it was, for the connection's sake. */
  #end(isAllWanted: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts = [];
    this.#options.transfer.onShorter = () => undefined;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    if (this.#buffer !== undefined) this.#options.buffers.giveBack(this.#buffer);
    this.#buffer = undefined;
    if (!isAllWanted) this.#cut();
    else if (this.#controller?.paused === true) this.#controller.resume();
    this.#settleIfDone();
  }

  #cut(): void {
    if (!this.#hasEnded) this.#controller?.abort(new Error('no more of it is wanted'));
  }

  #settleIfDone(): void {
    if (!this.#isOver || this.#writes > 0) return;
    if (this.#error === undefined) this.#settle.resolve();
    else this.#settle.reject(this.#error);
  }
}

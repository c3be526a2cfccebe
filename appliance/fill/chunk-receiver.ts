import { chunkCount, chunkLengthBytes, chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { PartialFile } from '../store/download.ts';
import type { AnswerHead } from './http-head.ts';
import type { Pacer } from './pacer.ts';
import type { Exchange, Flow } from './source-connection.ts';
import { asSourceError, fails, lies, refusal } from './source-failure.ts';
import type { Transfer } from './transfer.ts';

export interface ReceiverOptions {
  partial: PartialFile;
  transfer: Transfer;
  /** Hears of each chunk that is on the disk. */
  onChunk: (bytes: number) => void;
  pacer: Pacer;
  clock: Clock;
  signal: AbortSignal;
}

/** One that is received while others are verified and written. */
const writesMax = 2;

/**
 * Takes the answer to one range request chunk by chunk: each is read straight into the memory that is hashed and written, which goes
 * on while the next one comes. It reads no faster than the pacer allows and the disk takes: the source is held up by its full
 * pipe. When its transfer is made shorter it ends with the chunk that is last then.
 */
export class ChunkReceiver implements Exchange {
  /** Resolves when all chunks of the transfer are on the disk. Rejects with SourceError, ABORTED, or what the disk throws. */
  readonly done: Promise<void>;
  readonly #options: ReceiverOptions;
  readonly #settle = Promise.withResolvers<void>();
  readonly #onAbort = (): void => {
    this.#fail(this.#options.signal.reason);
  };
  /** What was asked for; the transfer may have become shorter since. */
  readonly #range: { readonly start: number; readonly end: number; readonly last: number };
  #flow: Flow | undefined;
  #buffer: Buffer | undefined;
  #filledBytes = 0;
  /** Reasons not to read on: the pacer's, the disk's, or that no buffer is free. */
  #holds = 0;
  #writes = 0;
  #written = Promise.withResolvers<void>();
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

  asked(flow: Flow): void {
    this.#flow = flow;
    if (this.#isOver) flow.cut();
  }

  answered({ status, headers, lengthBytes }: AnswerHead): void {
    const { partial, transfer } = this.#options;
    const { start, end, last } = this.#range;
    const { sizeBytes } = partial.tree;
    const isWhole = transfer.first === 0 && last === chunkCount(sizeBytes) - 1;
    const isPart = status === 206 && headers.get('content-range') === `bytes ${start}-${end}/${sizeBytes}`;
    if (!isPart && !(status === 200 && isWhole)) throw refusal(status, headers.get('retry-after'));
    if (lengthBytes !== undefined && lengthBytes !== end + 1 - start)
      throw lies(`${lengthBytes} bytes instead of what was asked for`);
  }

  space(): Buffer | undefined {
    if (this.#isOver || this.#holds > 0) return undefined;
    const { partial, transfer } = this.#options;
    if (this.#writes >= writesMax) {
      this.#hold(this.#written.promise);
      return undefined;
    }
    this.#buffer ??= partial.buffers.take();
    if (this.#buffer !== undefined)
      return this.#buffer.subarray(
        this.#filledBytes,
        chunkLengthBytes(partial.tree.sizeBytes, transfer.next),
      );
    this.#hold(partial.buffers.returned());
    return undefined;
  }

  took(bytes: number): void {
    const { partial, transfer, pacer, clock, signal } = this.#options;
    const buffer = this.#buffer;
    if (this.#isOver || buffer === undefined) return;
    transfer.receivedBytes += bytes;
    this.#filledBytes += bytes;
    const waitMs = pacer.take(bytes, transfer.node);
    if (waitMs > 0) this.#hold(clock.sleep(waitMs, { signal }));
    const lengthBytes = chunkLengthBytes(partial.tree.sizeBytes, transfer.next);
    if (this.#filledBytes < lengthBytes) return;
    this.#buffer = undefined;
    this.#filledBytes = 0;
    void this.#write(transfer.next, buffer, lengthBytes);
    transfer.next++;
    this.#endIfEnough();
  }

  ended(error?: Error): void {
    this.#flow = undefined;
    if (error !== undefined) this.#fail(error);
    // What came is what was asked for, so all of it was taken.
    else if (!this.#isOver) this.#fail(fails('the answer ended early'));
  }

  #hold(until: Promise<void>): void {
    this.#holds++;
    void until
      .catch(() => undefined)
      .then(() => {
        this.#holds--;
        if (this.#holds === 0) this.#flow?.resume();
      });
  }

  async #write(index: number, buffer: Buffer, lengthBytes: number): Promise<void> {
    const { partial, onChunk } = this.#options;
    this.#writes++;
    try {
      if (await partial.put(index, buffer.subarray(0, lengthBytes))) onChunk(lengthBytes);
      else this.#fail(lies(`chunk ${index} does not match its hash`));
    } catch (error) {
      this.#fail(error);
    } finally {
      partial.buffers.giveBack(buffer);
      this.#writes--;
      this.#written.resolve();
      this.#written = Promise.withResolvers();
      this.#settleIfDone();
    }
  }

  #endIfEnough(): void {
    const { transfer } = this.#options;
    if (this.#isOver || transfer.next <= transfer.last) return;
    // Where less than was asked for is wanted, the rest is on its way.
    this.#end(transfer.last === this.#range.last);
  }

  #fail(error: unknown): void {
    this.#error ??= asSourceError(error, this.#options.signal);
    this.#end(false);
  }

  #end(isWhole: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.transfer.onShorter = () => undefined;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    if (this.#buffer !== undefined) this.#options.partial.buffers.giveBack(this.#buffer);
    this.#buffer = undefined;
    if (!isWhole) this.#flow?.cut();
    this.#settleIfDone();
  }

  #settleIfDone(): void {
    if (!this.#isOver || this.#writes > 0) return;
    if (this.#error === undefined) this.#settle.resolve();
    else this.#settle.reject(this.#error);
  }
}

import type { Clock } from '../../common/runtime/clock.ts';
import type { AnswerHead } from './http-head.ts';
import type { Pacer } from './pacer.ts';
import type { Exchange, Flow } from './source-connection.ts';
import { asSourceError, lies, refusal } from './source-failure.ts';

export interface ListReceiverOptions {
  lengthBytesMax: number;
  /** The source. */
  node: string;
  pacer: Pacer;
  clock: Clock;
  signal: AbortSignal;
}

/** Takes the answer to a request for a chunk list, whole and no longer than it may be. */
export class ListReceiver implements Exchange {
  /** The list as it came. Rejects with SourceError or ABORTED. */
  readonly done: Promise<Buffer>;
  readonly #options: ListReceiverOptions;
  readonly #settle = Promise.withResolvers<Buffer>();
  readonly #onAbort = (): void => {
    this.#flow?.cut();
    this.ended(new Error('it was given up'));
  };
  #flow: Flow | undefined;
  #list = Buffer.alloc(0);
  #filledBytes = 0;
  #isHeld = false;

  constructor(options: ListReceiverOptions) {
    this.#options = options;
    this.done = this.#settle.promise;
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  asked(flow: Flow): void {
    this.#flow = flow;
    if (this.#options.signal.aborted) this.#onAbort();
  }

  answered({ status, headers, lengthBytes = 0 }: AnswerHead): void {
    if (status !== 200) throw refusal(status, headers.get('retry-after'));
    if (lengthBytes > this.#options.lengthBytesMax) throw lies('a chunk list that is too long');
    this.#list = Buffer.allocUnsafeSlow(lengthBytes);
  }

  space(): Buffer | undefined {
    return this.#isHeld ? undefined : this.#list.subarray(this.#filledBytes);
  }

  took(bytes: number): void {
    const { pacer, clock, node, signal } = this.#options;
    this.#filledBytes += bytes;
    const waitMs = pacer.take(bytes, node);
    if (waitMs <= 0) return;
    this.#isHeld = true;
    void clock
      .sleep(waitMs, { signal })
      .catch(() => undefined)
      .then(() => {
        this.#isHeld = false;
        this.#flow?.resume();
      });
  }

  ended(error?: Error): void {
    const { signal } = this.#options;
    this.#flow = undefined;
    signal.removeEventListener('abort', this.#onAbort);
    if (error === undefined) this.#settle.resolve(this.#list);
    else this.#settle.reject(asSourceError(error, signal));
  }
}

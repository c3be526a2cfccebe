import { expectedRate, type Running } from '../core/take-over.ts';
import type { FillWay } from '../core/choose-way.ts';
import type { ChunkRun } from '../core/chunk-map.ts';

/** Chunks of one file on their way from one source. Another transfer may take its last ones over. */
export class Transfer implements Running {
  readonly way: FillWay;
  readonly first: number;
  readonly startedAtMs: number;
  /** The chunk that is being received; those before it are here. */
  next: number;
  receivedBytes = 0;
  /** Told when `last` has become less. */
  onShorter: () => void = () => undefined;
  readonly #known: number | undefined;
  readonly #nowMs: () => number;
  #last: number;

  /** @param source what is known of its speed. */
  constructor(
    run: ChunkRun,
    way: FillWay,
    source: { bytesPerSecond: number | undefined; nowMs: () => number },
  ) {
    this.way = way;
    this.first = run.first;
    this.next = run.first;
    this.#last = run.last;
    this.#known = source.bytesPerSecond;
    this.#nowMs = source.nowMs;
    this.startedAtMs = source.nowMs();
  }

  get node(): string {
    return this.way.node;
  }

  /** The last chunk that it is to bring; below `next` where nothing is left to do. */
  get last(): number {
    return this.#last;
  }

  get bytesPerSecond(): number {
    const { receivedBytes } = this;
    return expectedRate({ receivedBytes, elapsedMs: this.elapsedMs, known: this.#known });
  }

  get elapsedMs(): number {
    return this.#nowMs() - this.startedAtMs;
  }

  /** Ends it before `index`; what is of the chunk in progress is lost where that is it. */
  endBefore(index: number): void {
    if (index > this.#last) return;
    this.#last = index - 1;
    this.onShorter();
  }

  /** Ends it with the chunk in progress. */
  endSoon(): void {
    this.endBefore(this.next + 1);
  }
}

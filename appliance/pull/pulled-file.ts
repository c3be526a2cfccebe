import type { FileExtension } from '../../common/core/media-types.ts';
import { Limiter } from '../../common/core/limiter.ts';
import type { ChunkRun } from '../core/chunk-map.ts';
import type { SharedPartial } from './shared-partial.ts';

/** How many chunks one request upstream asks for: few enough that a failing source costs little. */
export const runLengthMax = 8;
/** Requests upstream for one file at a time. */
const runsPerFileMax = 4;

/** A file that comes by pieces as viewers ask for them. */
export class PulledFile {
  readonly partial: SharedPartial;
  /** Monotonic. */
  usedAtMs: number;
  /** Bytes of it that have left since it was opened. */
  sentBytes = 0;
  /** It is not completed before (monotonic). */
  restUntilMs = 0;
  #ext: FileExtension = 'json';
  readonly #limiter = new Limiter({ runsMax: runsPerFileMax });
  readonly #flights = new Map<number, PromiseWithResolvers<void>>();

  constructor(partial: SharedPartial, options: { nowMs: number }) {
    this.partial = partial;
    this.usedAtMs = options.nowMs;
  }

  get file(): string {
    return this.partial.file;
  }

  /** The extension to ask a source by. */
  get ext(): FileExtension {
    return this.#ext;
  }

  /** Somebody asks for it. */
  use({ ext, nowMs }: { ext: FileExtension; nowMs: number }): void {
    this.usedAtMs = nowMs;
    if (ext !== 'chunks') this.#ext = ext;
  }

  /** As many bytes have left as it has: somebody else is likely to ask for the rest. */
  get isPopular(): boolean {
    return this.sentBytes >= this.partial.tree.sizeBytes && !this.partial.isWhole();
  }

  /**
   * Resolves when the first chunk of the run is there. Whoever asks while it is on its way waits for the same; what else of
   * the run nobody fetches goes with it. `fetch` fetches a run and calls `came` as its chunks come.
   */
  async need(
    { first, last }: ChunkRun,
    fetch: (run: ChunkRun, came: () => void) => Promise<void>,
  ): Promise<'here' | 'joined' | 'fetched'> {
    if (this.partial.chunks.has(first)) return 'here';
    const flight = this.#flights.get(first);
    if (flight !== undefined) {
      await flight.promise;
      return 'joined';
    }
    const run = { first, last: this.#gapEnd(first, last) };
    void this.#fetch(run, fetch);
    await this.#flights.get(first)?.promise;
    return 'fetched';
  }

  /** The end of the gap from `first` on, as far as one request goes. */
  #gapEnd(first: number, last: number): number {
    const { chunks } = this.partial;
    const endMax = Math.min(last, first + runLengthMax - 1, chunks.count - 1);
    let end = first;
    while (end < endMax && !chunks.has(end + 1) && !this.#flights.has(end + 1)) end++;
    return end;
  }

  async #fetch(run: ChunkRun, fetch: (run: ChunkRun, came: () => void) => Promise<void>): Promise<void> {
    for (let index = run.first; index <= run.last; index++) {
      const flight = Promise.withResolvers<void>();
      // Nobody may wait for it.
      flight.promise.catch(() => undefined);
      this.#flights.set(index, flight);
    }
    try {
      await this.#limiter.run(() =>
        fetch(run, () => {
          this.#land(run, (index, flight) => {
            if (this.partial.chunks.has(index)) flight.resolve();
            return this.partial.chunks.has(index);
          });
        }),
      );
      this.#land(run, (_index, flight) => {
        flight.resolve();
        return true;
      });
    } catch (error) {
      this.#land(run, (_index, flight) => {
        flight.reject(error);
        return true;
      });
    }
  }

  /** Ends the flights of a run that `land` says have ended. */
  #land(run: ChunkRun, land: (index: number, flight: PromiseWithResolvers<void>) => boolean): void {
    for (let index = run.first; index <= run.last; index++) {
      const flight = this.#flights.get(index);
      if (flight !== undefined && land(index, flight)) this.#flights.delete(index);
    }
  }
}

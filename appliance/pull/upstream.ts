import type { FileExtension } from '../../common/core/media-types.ts';
import { Limiter } from '../../common/core/limiter.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { FillWay } from '../core/choose-way.ts';
import type { ChunkRun } from '../core/chunk-map.ts';
import { SourceBook } from '../fill/source-book.ts';
import type { SourceClient } from '../fill/source-client.ts';
import { SourceError } from '../fill/source-failure.ts';
import { Transfer } from '../fill/transfer.ts';
import type { PartialFile } from '../store/download.ts';
import { Deadline } from './deadline.ts';
import type { PullRecords } from './pull-records.ts';
import type { KnownWays } from './known-ways.ts';

export interface UpstreamOptions {
  ways: KnownWays;
  sources: SourceClient;
  records: PullRecords;
  clock: Clock;
  log: Log;
  /** A chunk that takes longer makes its source one that fails. */
  chunkMsMax: number;
}

/** Requests upstream at a time, for all files; each holds a chunk or two in memory. */
const requestsMax = 32;
/** Requests that may wait for their turn. */
const waitingMax = 256;
/** How often a source that failed is asked again where no other one gave the file. */
const roundsMax = 2;
const overloadedRetryMs = 2000;

/** Gets what viewers wait for from whoever has it: one source after the other until one gives it. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #book: SourceBook;
  readonly #limiter = new Limiter({ runsMax: requestsMax });
  #requests = 0;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#book = new SourceBook(options.clock);
  }

  /** The ways to a file, nearest first. A source that rests after a failure is better than none, so it stands last. */
  async waysOf(file: string, signal: AbortSignal): Promise<FillWay[]> {
    const ways = await this.#options.ways.waysOf(file, signal);
    const nowMs = this.#options.clock.monotonicMs();
    const rests = ({ node }: FillWay): number => Number(this.#book.stateOf(node).restUntilMs > nowMs);
    return [...ways].sort((a, b) => rests(a) - rests(b));
  }

  /** The chunk list of a file, which its name authenticates. Errors: FILE_UNKNOWN (nobody gave it), OVERLOADED. */
  descriptor(file: string, signal: AbortSignal): Promise<Buffer> {
    return this.#fromAnyone(file, signal, async (way, late) => {
      // How long it may be is not known: as long as any.
      const { descriptor } = await this.#options.sources.descriptor(
        { way, file, sizeBytes: Infinity },
        late.signal,
      );
      return descriptor;
    });
  }

  /**
   * Fetches a run of chunks into a partial file; `came` is called as they come. What one source left out the next one is asked
   * for. Errors: FILE_UNKNOWN (nobody gave the rest), OVERLOADED, and the store's.
   */
  async chunks(
    what: { partial: PartialFile; ext: FileExtension; run: ChunkRun; came: () => void },
    signal: AbortSignal,
  ): Promise<void> {
    const { sources, records, clock } = this.#options;
    const { partial, ext, run, came } = what;
    await this.#fromAnyone(partial.file, signal, (way, late) => {
      let { first } = run;
      while (first < run.last && partial.chunks.has(first)) first++;
      const onChunk = (bytes: number): void => {
        late.extend();
        records.received(way.kind, bytes);
        came();
      };
      const source = { bytesPerSecond: undefined, nowMs: () => clock.monotonicMs() };
      const transfer = new Transfer({ first, last: run.last }, way, source);
      return sources.chunks({ ext, partial, transfer, onChunk }, late.signal);
    });
  }

  async #fromAnyone<T>(
    file: string,
    signal: AbortSignal,
    attempt: (way: FillWay, late: Deadline) => Promise<T>,
  ): Promise<T> {
    const spent = new Set<string>();
    let failure: SourceError | undefined;
    for (let round = 0; round < roundsMax; round++) {
      for (const way of await this.waysOf(file, signal)) {
        if (spent.has(way.node)) continue;
        try {
          return await this.#inTurn(() => this.#attempt(way, signal, attempt));
        } catch (error) {
          if (!(error instanceof SourceError)) throw error;
          failure = error;
          if (error.failure.kind !== 'fails') spent.add(way.node);
          this.#failed(file, way, error);
        }
      }
    }
    throw coded('FILE_UNKNOWN', { detail: 'it is not held here, and no source gave it', cause: failure });
  }

  async #attempt<T>(
    way: FillWay,
    signal: AbortSignal,
    attempt: (way: FillWay, late: Deadline) => Promise<T>,
  ): Promise<T> {
    const { clock, chunkMsMax } = this.#options;
    const late = new Deadline({ clock, ms: chunkMsMax, signal });
    this.#book.begin(way.node);
    try {
      const value = await attempt(way, late);
      this.#book.end(way.node, 'good');
      return value;
    } catch (error) {
      const met = late.isOver
        ? new SourceError({ kind: 'fails', detail: 'it is too slow' }, { cause: error })
        : error;
      this.#book.end(way.node, met instanceof SourceError ? met.failure : 'unknown');
      throw met;
    } finally {
      late.end();
    }
  }

  #failed(file: string, { node }: FillWay, { failure, message }: SourceError): void {
    const { ways, log, records } = this.#options;
    records.failure(failure.kind);
    // It no longer has the file, or its token is no longer good: others are asked for the next time.
    if (failure.kind === 'absent' || failure.kind === 'denied') ways.forget(file);
    if (failure.kind === 'lies')
      log.warn({ file, source: node, detail: message }, 'a source sent wrong bytes');
    else log.debug({ file, source: node, detail: message }, 'a source failed a viewer');
  }

  async #inTurn<T>(start: () => Promise<T>): Promise<T> {
    if (this.#requests >= requestsMax + waitingMax)
      throw coded('OVERLOADED', { detail: 'too much is being fetched', retryAfterMs: overloadedRetryMs });
    this.#requests++;
    try {
      return await this.#limiter.run(start);
    } finally {
      this.#requests--;
    }
  }
}

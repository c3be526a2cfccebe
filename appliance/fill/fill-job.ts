import type { FillKind, FillOutcome } from '../../common/contract/fill.ts';
import type { ProblemCode } from '../../common/contract/problem.ts';
import { isFileExtension } from '../../common/core/media-types.ts';
import type { FillWay } from '../core/choose-way.ts';
import type { ChunkRun } from '../core/chunk-map.ts';
import type { WantedFile } from '../core/fill-diff.ts';
import type { PartialFile } from '../store/download.ts';
import type { Transfer } from './transfer.ts';

/** What a job can do next. */
export type JobStep =
  /** Get the chunk list and begin, or go on with what an earlier process left. */
  | { readonly kind: 'open' }
  /** Chunks from the first missing one on, as many as the source that will be chosen is good for. */
  | { readonly kind: 'fetch' }
  | { readonly kind: 'publish' };

/** One missing file on its way here: what is known, what is in flight, and what it took. */
export class FillJob {
  wanted: WantedFile;
  /** Monotonic; the waits of its ways count from here. */
  readonly wantedSinceMs: number;
  /** Ends everything of this job that is in flight. */
  readonly abort = new AbortController();
  readonly transfers = new Set<Transfer>();
  ways: readonly FillWay[] | undefined;
  /** Monotonic time of the answer that `ways` came from. */
  waysAtMs = -Infinity;
  readonly spent = new Set<string>();
  partial: PartialFile | undefined;
  /** Nothing is tried before (monotonic). */
  restUntilMs = 0;
  /** Failed tries since the last chunk. */
  failedTries = 0;
  /** Answers with ways since the last chunk. */
  rounds = 0;
  hasUnreportedFailure = false;
  /** How many times it was given up. */
  givenUp = 0;
  lastFailure: { code: ProblemCode; detail: string } | undefined;
  startedAtMs: number | undefined;
  chunksVerified = 0;
  chunksRefused = 0;
  inFlight = 0;
  #exclusive = false;
  /** No chunk before it is missing. */
  #from = 0;
  readonly #bytes = new Map<string, { kind: FillKind; node: string; bytes: number }>();

  constructor(wanted: WantedFile, wantedSinceMs: number) {
    this.wanted = wanted;
    this.wantedSinceMs = wantedSinceMs;
  }

  get file(): string {
    return this.wanted.file;
  }

  /** The extension to ask a source by. */
  get ext(): string {
    return isFileExtension(this.wanted.ext) ? this.wanted.ext : 'json';
  }

  /** The next step that nobody is on, or undefined. */
  nextStep(): JobStep | undefined {
    if (this.#exclusive) return undefined;
    const { partial } = this;
    if (partial === undefined) return { kind: 'open' };
    if (partial.isWhole()) return this.inFlight === 0 ? { kind: 'publish' } : undefined;
    return this.nextRun(1) && { kind: 'fetch' };
  }

  /** The first missing chunks that nobody brings, at most so many. */
  nextRun(lengthMax: number): ChunkRun | undefined {
    const { partial } = this;
    if (partial === undefined) return undefined;
    while (partial.chunks.has(this.#from)) this.#from++;
    const taken = (index: number): boolean => this.#isTaken(index);
    return partial.chunks.nextGap({ from: this.#from, lengthMax, taken });
  }

  #isTaken(index: number): boolean {
    for (const { first, last } of this.transfers) if (index >= first && index <= last) return true;
    return false;
  }

  /** Takes a step that one must do alone, so that no other worker does; the returned function gives it back. */
  takeAlone(): () => void {
    this.inFlight++;
    this.#exclusive = true;
    return () => {
      this.inFlight--;
      this.#exclusive = false;
    };
  }

  /** Takes the chunks of a transfer; the returned function gives back what it did not bring. */
  takeTransfer(transfer: Transfer): () => void {
    this.inFlight++;
    this.transfers.add(transfer);
    return () => {
      this.inFlight--;
      this.transfers.delete(transfer);
    };
  }

  /** A chunk from this source is on disk. */
  count(way: FillWay, bytes: number): void {
    this.chunksVerified++;
    this.failedTries = 0;
    this.rounds = 0;
    const entry = this.#bytes.get(way.node) ?? { kind: way.kind, node: way.node, bytes: 0 };
    entry.bytes += bytes;
    if (this.#bytes.size < 64 || this.#bytes.has(way.node)) this.#bytes.set(way.node, entry);
  }

  /** What became of it, for the report. */
  outcome(result: 'held' | 'failed', endedAtMs: number): FillOutcome {
    const failure = result === 'failed' ? this.lastFailure : undefined;
    return {
      file: this.file,
      sizeBytes: this.partial?.tree.sizeBytes ?? this.wanted.sizeBytes,
      startedAtMs: Math.min(this.startedAtMs ?? endedAtMs, endedAtMs),
      endedAtMs,
      outcome: result,
      ...(failure !== undefined && { code: failure.code, detail: failure.detail.slice(0, 500) }),
      chunksVerified: this.chunksVerified,
      chunksRefused: this.chunksRefused,
      resumedBytes: this.partial?.resumedBytes ?? 0,
      bytesBySource: [...this.#bytes.values()],
    };
  }
}

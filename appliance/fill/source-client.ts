import type { Agent, Dispatcher } from 'undici';

import {
  chunkCount,
  chunkLengthBytes,
  chunkSizeBytes,
  descriptorLengthBytes,
  openDescriptor,
} from '../../common/core/chunk-tree.ts';
import { coded, isCoded, toCoded, type CodedError } from '../../common/runtime/errors.ts';
import type { ChunkRun } from '../core/chunk-map.ts';
import type { PartialFile } from '../store/partial-file.ts';
import type { Pacer } from './pacer.ts';

/** What came of asking a source; the filler decides what follows. */
export type SourceFailure =
  /** It does not hold the file. */
  | { readonly kind: 'absent' }
  /** It does not take the token: new ways are needed. */
  | { readonly kind: 'denied' }
  | { readonly kind: 'busy'; readonly retryAfterMs: number }
  /** It sent bytes that are not the file's. */
  | { readonly kind: 'lies'; readonly detail: string }
  /** It cannot be reached, or reset, stalled, cut short, or answered nonsense. */
  | { readonly kind: 'fails'; readonly detail: string };

/** Thrown for what is the source's fault; what is the disk's keeps its own code. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly failure: SourceFailure;

  constructor(failure: SourceFailure, options: { cause?: unknown } = {}) {
    super('detail' in failure ? failure.detail : failure.kind, options);
    this.failure = failure;
  }
}

export interface SourceClientOptions {
  pacer: Pacer;
  /** A source that sends nothing for so long has stalled. */
  stallMs: number;
  /** Connections to one source. */
  connectionsMax: number;
}

const retryAfterMsMax = 300_000;
const descriptorBytesMax = 64 * 1024 * 1024;

/** Fetches chunk lists and ranges of chunks from other appliances over kept-alive connections. */
export class SourceClient {
  readonly #pacer: Pacer;
  readonly #options: SourceClientOptions;
  #agent: Promise<Agent> | undefined;

  constructor(options: SourceClientOptions) {
    this.#options = options;
    this.#pacer = options.pacer;
  }

  /** The chunk list of a file, which the name authenticates. Throws SourceError. */
  async descriptor(
    from: { base: string; file: string; sizeBytes: number },
    signal: AbortSignal,
  ): Promise<{ descriptor: Buffer; sizeBytes: number }> {
    const lengthMax = Math.min(descriptorBytesMax, descriptorLengthBytes(from.sizeBytes) + chunkSizeBytes);
    const body = await this.#get({ url: `${from.base}${from.file}.chunks`, signal, status: [200] });
    const parts: Buffer[] = [];
    let lengthBytes = 0;
    await this.#read(body, signal, (part) => {
      lengthBytes += part.length;
      if (lengthBytes > lengthMax) throw lies('a chunk list that is too long');
      parts.push(part);
    });
    const descriptor = Buffer.concat(parts);
    const opened = openDescriptor(from.file, descriptor);
    if (!opened.ok) throw lies(opened.detail);
    return { descriptor, sizeBytes: opened.value.sizeBytes };
  }

  /**
   * Fetches a run of chunks into a partial file, each verified as it comes. `onChunk` hears of every one that was
   * stored. Throws SourceError, and what the disk throws.
   */
  async chunks(
    what: {
      base: string;
      ext: string;
      partial: PartialFile;
      run: ChunkRun;
      onChunk: (bytes: number) => void;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { base, ext, partial, run, onChunk } = what;
    const { file, tree } = partial;
    const start = run.first * chunkSizeBytes;
    const end = Math.min(tree.sizeBytes, (run.last + 1) * chunkSizeBytes) - 1;
    const isWhole = run.first === 0 && run.last === chunkCount(tree.sizeBytes) - 1;
    const body = await this.#get({
      url: `${base}${file}.${ext}`,
      range: { start, end, sizeBytes: tree.sizeBytes },
      status: isWhole ? [200, 206] : [206],
      signal,
    });
    let index = run.first;
    let filled = 0;
    const chunk = Buffer.allocUnsafeSlow(Math.min(chunkSizeBytes, end - start + 1));
    await this.#read(body, signal, async (part) => {
      for (let at = 0; at < part.length;) {
        if (index > run.last) throw lies('more bytes than asked for');
        const length = chunkLengthBytes(tree.sizeBytes, index);
        const take = Math.min(length - filled, part.length - at);
        part.copy(chunk, filled, at, at + take);
        filled += take;
        at += take;
        if (filled < length) continue;
        if (!(await partial.put(index, chunk.subarray(0, length)))) {
          throw lies(`chunk ${index} does not match its hash`);
        }
        onChunk(length);
        index++;
        filled = 0;
      }
    });
    if (index <= run.last) throw new SourceError({ kind: 'fails', detail: 'the answer ended early' });
  }

  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }

  // With the first download: the library costs a start more than anything else of it.
  async #connect(): Promise<Agent> {
    const { connectionsMax: connections, stallMs } = this.#options;
    const undici = await import('undici');
    const connect = { timeout: stallMs };
    return new undici.Agent({ connections, connect, headersTimeout: stallMs, bodyTimeout: stallMs });
  }

  async #get(what: {
    url: string;
    range?: { start: number; end: number; sizeBytes: number };
    status: readonly number[];
    signal: AbortSignal;
  }): Promise<Dispatcher.ResponseData['body']> {
    const { range } = what;
    let answer: Dispatcher.ResponseData;
    try {
      const { origin, pathname } = new URL(what.url);
      const agent = await (this.#agent ??= this.#connect());
      answer = await agent.request({
        origin,
        path: pathname,
        method: 'GET',
        signal: what.signal,
        headers: range === undefined ? {} : { range: `bytes=${range.start}-${range.end}` },
      });
    } catch (error) {
      throw asSourceError(error, what.signal);
    }
    const { statusCode, headers, body } = answer;
    const expected = range && `bytes ${range.start}-${range.end}/${range.sizeBytes}`;
    if (what.status.includes(statusCode) && (statusCode !== 206 || headers['content-range'] === expected))
      return body;
    // Its connection may be used again only if the rest is short.
    await body.dump({ limit: 16 * 1024 }).catch(() => undefined);
    throw refusal(statusCode, headers['retry-after']);
  }

  async #read(
    body: Dispatcher.ResponseData['body'],
    signal: AbortSignal,
    take: (part: Buffer) => void | Promise<void>,
  ): Promise<void> {
    try {
      for await (const part of body as AsyncIterable<Buffer>) {
        await this.#pacer.pass(part.length, signal);
        await take(part);
      }
    } catch (error) {
      throw asSourceError(error, signal);
    } finally {
      body.destroy();
    }
  }
}

function lies(detail: string): SourceError {
  return new SourceError({ kind: 'lies', detail });
}

function refusal(status: number, retryAfter: string | string[] | undefined): SourceError {
  if (status === 404 || status === 410) return new SourceError({ kind: 'absent' });
  if (status === 401 || status === 403) return new SourceError({ kind: 'denied' });
  if (status === 429) {
    const seconds = Number(retryAfter);
    const retryAfterMs = Number.isFinite(seconds)
      ? Math.min(retryAfterMsMax, Math.max(0, seconds * 1000))
      : 2000;
    return new SourceError({ kind: 'busy', retryAfterMs });
  }
  return new SourceError({ kind: 'fails', detail: `it answered ${status}` });
}

/** Ours when we gave up or the disk did; else the source's. */
function asSourceError(error: unknown, signal: AbortSignal): SourceError | CodedError {
  if (error instanceof SourceError || isCoded(error)) return error;
  if (signal.aborted) return coded('ABORTED', { cause: error });
  return new SourceError(
    { kind: 'fails', detail: toCoded(error).cause instanceof Error ? (error as Error).message : '' },
    { cause: error },
  );
}

import { chunkSizeBytes, descriptorLengthBytes, openDescriptor } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { FillWay } from '../core/choose-way.ts';
import type { PartialFile } from '../store/download.ts';
import { ChunkReceiver } from './chunk-receiver.ts';
import { ListReceiver } from './list-receiver.ts';
import type { Pacer } from './pacer.ts';
import { SourceConnections } from './source-connections.ts';
import { asSourceError, lies } from './source-failure.ts';
import type { Transfer } from './transfer.ts';

export interface SourceClientOptions {
  pacer: Pacer;
  clock: Clock;
  /** A source that sends nothing for so long has stalled. */
  stallMs: number;
}

const descriptorBytesMax = 64 * 1024 * 1024;

/**
 * Fetches chunk lists and ranges of chunks from other appliances over kept-alive connections of HTTP/1.1: several of them are what
 * makes a fill quick, and none is in the others' way.
 */
export class SourceClient {
  readonly #options: SourceClientOptions;
  readonly #connections: SourceConnections;

  constructor(options: SourceClientOptions) {
    this.#options = options;
    this.#connections = new SourceConnections(options);
  }

  /** The chunk list of a file, which the name authenticates. Throws SourceError. */
  async descriptor(
    from: { way: FillWay; file: string; sizeBytes: number },
    signal: AbortSignal,
  ): Promise<{ descriptor: Buffer; sizeBytes: number }> {
    const { pacer, clock } = this.#options;
    const { way, file, sizeBytes } = from;
    const lengthBytesMax = Math.min(descriptorBytesMax, descriptorLengthBytes(sizeBytes) + chunkSizeBytes);
    const receiver = new ListReceiver({ lengthBytesMax, node: way.node, pacer, clock, signal });
    try {
      this.#connections.ask(new URL(`${way.base}${file}.chunks`), {}, receiver);
    } catch (error) {
      receiver.ended(asSourceError(error, signal));
    }
    const descriptor = await receiver.done;
    const opened = openDescriptor(file, descriptor);
    if (!opened.ok) throw lies(opened.detail);
    return { descriptor, sizeBytes: opened.value.sizeBytes };
  }

  /**
   * Fetches the chunks of a transfer into a partial file, each verified as it comes, until the transfer's last one, which
   * may move nearer meanwhile. `onChunk` hears of every one that was stored. Throws SourceError, and what the disk throws.
   */
  async chunks(
    what: { ext: string; partial: PartialFile; transfer: Transfer; onChunk: (bytes: number) => void },
    signal: AbortSignal,
  ): Promise<void> {
    const { pacer, clock } = this.#options;
    const { way } = what.transfer;
    const receiver = new ChunkReceiver({ ...what, pacer, clock, signal });
    try {
      const url = new URL(`${way.base}${what.partial.file}.${what.ext}`);
      this.#connections.ask(url, { range: receiver.range }, receiver);
    } catch (error) {
      receiver.ended(asSourceError(error, signal));
    }
    await receiver.done;
  }

  close(): Promise<void> {
    this.#connections.close();
    return Promise.resolve();
  }
}

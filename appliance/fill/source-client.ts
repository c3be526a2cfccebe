import type { Agent } from 'undici';

import { chunkSizeBytes, descriptorLengthBytes, openDescriptor } from '../../common/core/chunk-tree.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { FillWay } from '../core/choose-way.ts';
import type { PartialFile } from '../store/partial-file.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import { ChunkReceiver } from './chunk-receiver.ts';
import { ringConnector } from './connector.ts';
import type { Pacer } from './pacer.ts';
import { asSourceError, lies, refusal } from './source-failure.ts';
import type { Transfer } from './transfer.ts';

export interface SourceClientOptions {
  pacer: Pacer;
  clock: Clock;
  /** A source that sends nothing for so long has stalled. */
  stallMs: number;
  /** Transfers at a time, and so connections to one source. */
  transfersMax: number;
}

const descriptorBytesMax = 64 * 1024 * 1024;
const refusalBytesMax = 16 * 1024;
/** One that is received while another is verified and written. */
const buffersPerTransfer = 2;

/** Fetches chunk lists and ranges of chunks from other appliances over kept-alive connections. */
export class SourceClient {
  readonly #options: SourceClientOptions;
  readonly #buffers: ChunkBuffers;
  #agent: Promise<Agent> | undefined;

  constructor(options: SourceClientOptions) {
    this.#options = options;
    this.#buffers = new ChunkBuffers(options.transfersMax * buffersPerTransfer);
  }

  /** The chunk list of a file, which the name authenticates. Throws SourceError. */
  async descriptor(
    from: { way: FillWay; file: string; sizeBytes: number },
    signal: AbortSignal,
  ): Promise<{ descriptor: Buffer; sizeBytes: number }> {
    const lengthMax = Math.min(descriptorBytesMax, descriptorLengthBytes(from.sizeBytes) + chunkSizeBytes);
    const parts: Buffer[] = [];
    let lengthBytes = 0;
    try {
      const { origin, pathname: path } = new URL(`${from.way.base}${from.file}.chunks`);
      const agent = await this.#connected();
      const { statusCode, headers, body } = await agent.request({ origin, path, method: 'GET', signal });
      if (statusCode !== 200) {
        // Its connection may be used again only if the rest is short.
        await body.dump({ limit: refusalBytesMax }).catch(() => undefined);
        throw refusal(statusCode, headers['retry-after']);
      }
      for await (const part of body as AsyncIterable<Buffer>) {
        lengthBytes += part.length;
        if (lengthBytes > lengthMax) throw lies('a chunk list that is too long');
        // Its memory is the connection's.
        parts.push(Buffer.from(part));
        const waitMs = this.#options.pacer.take(part.length, from.way.node);
        if (waitMs > 0) await this.#options.clock.sleep(waitMs, { signal });
      }
    } catch (error) {
      throw asSourceError(error, signal);
    }
    const descriptor = Buffer.concat(parts);
    const opened = openDescriptor(from.file, descriptor);
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
    const receiver = new ChunkReceiver({ ...what, pacer, clock, signal, buffers: this.#buffers });
    try {
      const { origin, pathname: path } = new URL(`${way.base}${what.partial.file}.${what.ext}`);
      const agent = await this.#connected();
      agent.dispatch({ origin, path, method: 'GET', headers: { range: receiver.range } }, receiver);
    } catch (error) {
      receiver.abandon(error);
    }
    await receiver.done;
  }

  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }

  #connected(): Promise<Agent> {
    return (this.#agent ??= this.#connect());
  }

  // With the first download: the library costs a start more than anything else of it.
  async #connect(): Promise<Agent> {
    const { transfersMax: connections, stallMs } = this.#options;
    const undici = await import('undici');
    const connect = ringConnector(undici.buildConnector, { timeoutMs: stallMs });
    // Several connections are what makes a fill quick, and one of their windows is not in the others' way: no HTTP/2.
    return new undici.Agent({
      ...{ connections, connect, headersTimeout: stallMs, bodyTimeout: stallMs, allowH2: false },
    });
  }
}

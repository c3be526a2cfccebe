import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';

import type { Blobs } from '../../common/adapters/blobs/port.ts';
import {
  chunkLengthBytes,
  chunkSizeBytes,
  openDescriptor,
  verifyChunk,
  type ChunkTree,
} from '../../common/core/chunk-tree.ts';
import { contentKey, descriptorKey } from '../../common/core/file-keys.ts';
import { Limiter } from '../../common/core/limiter.ts';
import { SingleFlight } from '../../common/core/single-flight.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { BufferPool } from './buffer-pool.ts';
import { ChunkCache } from './chunk-cache.ts';
import type { ContentForm, ContentSource, OpenContent } from './content.ts';

export interface BlobContentOptions {
  blobs: Blobs;
  pool: BufferPool;
  /** How many bytes of verified chunks are kept in memory. */
  cacheBytes: number;
  /** How many chunks are read from the blobs at a time. */
  loadsMax: number;
  /** A blob does not match its file's name. */
  onCorrupt: (file: string) => void;
}

interface BlobFile {
  readonly file: string;
  readonly tree: ChunkTree;
  readonly descriptor: Buffer;
  readonly lastModifiedMs: number;
}

const descriptorBytesMax = 64 * 1024 * 1024;
const descriptorsBytes = 32 * 1024 * 1024;

/**
 * An origin's content: pull-through over the blobs port (ADR 9). Chunks are read whole, verified against the file's name
 * and only then given out; the latest are kept in memory, and those who want the same one at once share one read.
 */
export function createBlobContent(options: BlobContentOptions): ContentSource {
  return new BlobContent(options);
}

class BlobContent implements ContentSource {
  readonly #options: BlobContentOptions;
  readonly #files: LRUCache<string, BlobFile>;
  readonly #chunks: ChunkCache;
  readonly #openings = new SingleFlight<BlobFile | undefined>();
  readonly #limiter: Limiter;

  constructor(options: BlobContentOptions) {
    this.#options = options;
    this.#files = new LRUCache({
      maxSize: descriptorsBytes,
      sizeCalculation: ({ descriptor }) => descriptor.length + 512,
    });
    this.#chunks = new ChunkCache(options);
    this.#limiter = new Limiter({ runsMax: options.loadsMax });
  }

  async open(file: string, form: ContentForm): Promise<OpenContent | undefined> {
    const known = this.#files.get(file) ?? (await this.#openings.run(file, () => this.#describe(file)));
    if (known === undefined) return undefined;
    return form === 'descriptor'
      ? this.#chunks.openDescriptor(known.descriptor, known.lastModifiedMs)
      : this.#openContent(known);
  }

  async #describe(file: string): Promise<BlobFile | undefined> {
    const { blobs } = this.#options;
    const [content, list] = await Promise.all([
      blobs.stat(contentKey(file)),
      blobs.stat(descriptorKey(file)),
    ]);
    if (content === undefined || list === undefined) return undefined;
    if (list.sizeBytes > descriptorBytesMax) throw this.#corrupt(file, 'its chunk list is too long');
    const stream = await blobs.read(descriptorKey(file));
    if (stream === undefined) return undefined;
    const descriptor = await collect(stream, list.sizeBytes);
    const opened = openDescriptor(file, descriptor);
    if (!opened.ok) throw this.#corrupt(file, opened.detail);
    if (content.sizeBytes !== opened.value.sizeBytes) throw this.#corrupt(file, 'its blob has another size');
    const described = { file, tree: opened.value, descriptor, lastModifiedMs: content.modifiedMs };
    this.#files.set(file, described);
    return described;
  }

  #openContent(known: BlobFile): OpenContent {
    const { file, tree, lastModifiedMs } = known;
    return {
      sizeBytes: tree.sizeBytes,
      lastModifiedMs,
      isLocal: (positionBytes) => this.#chunks.has(file, Math.floor(positionBytes / chunkSizeBytes)),
      read: (positionBytes, lengthBytes) =>
        this.#chunks.read({ file, positionBytes, lengthBytes }, (index) =>
          this.#limiter.run(() => this.#loadChunk(known, index)),
        ),
      release: () => undefined,
    };
  }

  async #loadChunk({ file, tree }: BlobFile, index: number): Promise<Buffer> {
    const length = chunkLengthBytes(tree.sizeBytes, index);
    const stream = await this.#options.blobs.read(contentKey(file), {
      offset: index * chunkSizeBytes,
      length,
    });
    if (stream === undefined) {
      this.#files.delete(file);
      throw coded('FILE_UNKNOWN', 'it is no longer among the blobs');
    }
    const chunk = await collect(stream, length);
    if (!verifyChunk(tree, index, chunk))
      throw this.#corrupt(file, `its chunk ${index} does not match its hash`);
    return chunk;
  }

  #corrupt(file: string, detail: string): Error {
    this.#options.onCorrupt(file);
    return coded('FILE_CORRUPT', `${file}: ${detail}; publish it anew`);
  }
}

/** All bytes of a stream, at most `lengthBytes` and one more by which too many are known. */
async function collect(stream: Readable, lengthBytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafeSlow(lengthBytes);
  let done = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    if (done + part.length > lengthBytes) return Buffer.concat([whole, part]);
    part.copy(whole, done);
    done += part.length;
  }
  return whole.subarray(0, done);
}

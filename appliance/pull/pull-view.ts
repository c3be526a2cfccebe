import { LRUCache } from 'lru-cache';

import {
  chunkCount,
  chunkLengthBytes,
  chunkSizeBytes,
  openDescriptor,
  verifyChunk,
  type ChunkTree,
} from '../../common/core/chunk-tree.ts';
import type { FilePath } from '../../common/core/file-path.ts';
import { coded, valueOf } from '../../common/runtime/errors.ts';
import { ChunkMap } from '../core/chunk-map.ts';
import type { BufferPool } from '../store/buffer-pool.ts';
import { ChunkCache } from '../store/chunk-cache.ts';
import type { ContentForm, ContentSource, OpenContent } from '../store/content.ts';
import { OpenFiles, type FileLease } from '../store/open-files.ts';
import type { Missed, Misses } from './misses.ts';
import type { PullAnswer, PullLink } from './pull-link.ts';

export interface PullViewOptions {
  link: PullLink;
  /** What is held. */
  held: ContentSource;
  pool: BufferPool;
  /** How many bytes of verified chunks are kept in memory. */
  cacheBytes: number;
}

interface Described {
  readonly tree: ChunkTree;
  readonly descriptor: Buffer;
}

/** A file that comes, as one request sees it. */
interface Coming extends Described {
  readonly file: string;
  readonly lease: FileLease;
  readonly there: ChunkMap;
}

const descriptorsBytes = 8 * 2 ** 20;
/** It may come to be held, or be given up, between an answer and what is done by it. */
const attemptsMax = 4;

/**
 * Serves files that come by pieces, beside the process that fetches and writes them: asks it for what is not there yet, reads
 * by descriptors of its own, and gives out nothing that does not match the file's name.
 */
export class PullView implements Misses {
  readonly #options: PullViewOptions;
  readonly #chunks: ChunkCache;
  readonly #described: LRUCache<string, Described>;
  /** Each lease is taken out at once: another download may lie at the same path later. */
  readonly #openFiles = new OpenFiles({ openMax: 0 });

  constructor(options: PullViewOptions) {
    this.#options = options;
    this.#chunks = new ChunkCache(options);
    this.#described = new LRUCache({
      maxSize: descriptorsBytes,
      sizeCalculation: ({ descriptor }) => descriptor.length + 512,
    });
  }

  open(
    { file, ext }: Pick<FilePath, 'file' | 'ext'>,
    { form, session }: { form: ContentForm; session: string },
  ): Promise<Missed> {
    return this.#open({ file, ext, session }, form);
  }

  async bundle(file: string): Promise<OpenContent | undefined> {
    const missed = await this.#open({ file, ext: 'json', session: undefined }, 'content');
    return missed.kind === 'content' ? missed.content : undefined;
  }

  async #open(request: Parameters<PullLink['open']>[0], form: ContentForm): Promise<Missed> {
    const { link, held } = this.#options;
    const { file } = request;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const answer = await link.open(request);
      if (answer.kind === 'elsewhere' || answer.kind === 'unknown') return answer;
      const content =
        answer.kind === 'held' ? await held.open(file, form) : await this.#openPartial(file, answer, form);
      if (content !== undefined) return { kind: 'content', content };
    }
    return { kind: 'unknown' };
  }

  async #openPartial(
    file: string,
    at: Extract<PullAnswer, { kind: 'partial' }>,
    form: ContentForm,
  ): Promise<OpenContent | undefined> {
    const list = await this.#acquire(at.descriptor);
    if (list === undefined) return undefined;
    const { modifiedAtMs: lastModifiedMs } = list;
    const known = await this.#describe(file, list).finally(() => {
      list.release();
    });
    const { descriptor, tree } = known;
    if (form === 'descriptor') return this.#chunks.openDescriptor(descriptor, lastModifiedMs);
    const lease = await this.#acquire(at.content);
    if (lease === undefined) return undefined;
    const there = new ChunkMap(chunkCount(tree.sizeBytes), Buffer.from(at.bits, 'base64'));
    return this.#openContent({ ...known, file, lease, there }, lastModifiedMs);
  }

  #openContent(coming: Coming, lastModifiedMs: number): OpenContent {
    const { file, tree, lease, there } = coming;
    return {
      sizeBytes: tree.sizeBytes,
      lastModifiedMs,
      isLocal: (positionBytes) => {
        const index = Math.floor(positionBytes / chunkSizeBytes);
        return there.has(index) || this.#chunks.has(file, index);
      },
      read: (positionBytes, lengthBytes) => {
        const last = Math.floor((positionBytes + lengthBytes - 1) / chunkSizeBytes);
        return this.#chunks.read({ file, positionBytes, lengthBytes }, (index) =>
          this.#load(coming, { first: index, last }),
        );
      },
      release: () => {
        lease.release();
      },
    };
  }

  async #load(coming: Coming, { first, last }: { first: number; last: number }): Promise<Buffer> {
    const { link } = this.#options;
    const { file, there } = coming;
    if (!there.has(first)) {
      await link.fetch({ file, first, last });
      there.add(first);
    }
    const chunk = await readChunk(coming, first);
    if (chunk !== undefined) return chunk;
    await link.mistrust(file, first);
    await link.fetch({ file, first, last: first });
    const again = await readChunk(coming, first);
    if (again === undefined) throw coded('FILE_CORRUPT', `chunk ${first} of ${file} changes on the disk`);
    return again;
  }

  async #describe(file: string, lease: FileLease): Promise<Described> {
    const known = this.#described.get(file);
    if (known !== undefined) return known;
    const descriptor = Buffer.allocUnsafeSlow(lease.sizeBytes);
    const count = await lease.read(descriptor, descriptor.length, 0);
    const described = { tree: valueOf(openDescriptor(file, descriptor.subarray(0, count))), descriptor };
    this.#described.set(file, described);
    return described;
  }

  async #acquire(path: string): Promise<FileLease | undefined> {
    const lease = await this.#openFiles.acquire(path);
    this.#openFiles.forget(path);
    return lease;
  }
}

/** The chunk as it lies on the disk; undefined where it is not the file's. */
async function readChunk({ lease, tree }: Coming, index: number): Promise<Buffer | undefined> {
  const lengthBytes = chunkLengthBytes(tree.sizeBytes, index);
  const chunk = Buffer.allocUnsafeSlow(lengthBytes);
  const count = await lease.read(chunk, lengthBytes, index * chunkSizeBytes);
  return count === lengthBytes && verifyChunk(tree, index, chunk) ? chunk : undefined;
}

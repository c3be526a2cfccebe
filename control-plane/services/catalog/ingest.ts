import type { Readable } from 'node:stream';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import { storeError } from '../../../common/adapters/shared/store-error.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { assert, isCoded, toCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import { captionKeys, captionsKey, releaseCaptions } from './caption-files.ts';
import { openSource } from './ingest-path.ts';
import { makingOf, withMaking, type Making } from './making.ts';
import type { TitleCaptions, TitleRecord, TitleSource } from './records.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

export interface IngestDependencies {
  readonly blobs: Blobs;
  readonly titles: Titles;
  readonly uploads: Uploads;
  readonly chance: Chance;
  readonly log: Log;
  readonly ingestRoots: readonly string[];
  /** Called when a title's source is stored and its job queued. */
  readonly onQueued: (titleId: string) => void;
}

/** Why captions are not there as they were when the title was made. */
const gone = ['SIZE_MISMATCH', 'PATH_UNREADABLE', 'PATH_NOT_ALLOWED', 'SOURCE_EMPTY'] as const;

/** The key of a title's source in blobs. */
export function sourceKey(titleId: string): string {
  return `sources/${titleId}`;
}

/**
 * Brings sources into blobs, one after another and out of any request: a film may take minutes. A process that dies in
 * between leaves nothing half-published; the next one begins the source anew.
 */
export class Ingest {
  readonly #deps: IngestDependencies;
  readonly #waiting: string[] = [];
  readonly #stop = new AbortController();
  readonly #doneBytes = new Map<string, number>();
  #loop: Promise<void> | undefined;

  constructor(deps: IngestDependencies) {
    this.#deps = deps;
  }

  /** Takes up what an earlier process has left. */
  start(): void {
    for (const { id } of this.#deps.titles.all().filter(isStoring)) this.add(id);
  }

  /** Stores this title's source when its turn comes. */
  add(titleId: string): void {
    this.#waiting.push(titleId);
    this.#loop ??= this.#work();
  }

  /** Share of the source that is stored, 0 to 1. */
  progress(title: TitleRecord): number {
    const { sourceSizeBytes } = makingOf(title);
    return Math.min(1, (this.#doneBytes.get(title.id) ?? 0) / Math.max(1, sourceSizeBytes));
  }

  /** Resolves when nothing is left to store. */
  async settled(): Promise<void> {
    while (this.#loop !== undefined) await this.#loop;
  }

  /** Breaks off; what was under way is begun anew by the next process. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.settled();
  }

  async #work(): Promise<void> {
    // Loops begin after add() has returned, so that the list is never found empty at once.
    await Promise.resolve();
    for (let id = this.#waiting.shift(); id !== undefined; id = this.#waiting.shift()) {
      if (this.#stop.signal.aborted) break;
      await this.#storeOne(id);
    }
    // In the same step as the last look at the list: what is added in between would wait for the next one.
    this.#loop = undefined;
  }

  async #storeOne(titleId: string): Promise<void> {
    const { log, titles } = this.#deps;
    const title = titles.get(titleId);
    if (!isStoring(title)) return;
    const making = makingOf(title);
    try {
      await this.#store(titleId, making);
      await this.#queue(titleId, making, await this.#storeCaptions(titleId, making));
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      log.error({ titleId, err: error }, 'a source could not be stored');
      await this.#fail(titleId, { making, error }).catch((failure: unknown) => {
        log.error({ titleId, err: failure }, 'the failure of a title could not be recorded');
      });
    } finally {
      this.#doneBytes.delete(titleId);
    }
  }

  async #store(id: string, { source, sourceSizeBytes }: Making): Promise<void> {
    const bytes = await this.#read(source);
    // Whoever reads it meets its error; one that comes before that, heard by nobody, would end the process.
    bytes.on('error', () => undefined);
    const options = { sizeBytes: sourceSizeBytes, signal: this.#stop.signal };
    try {
      await this.#deps.blobs.write(sourceKey(id), this.#counted(id, bytes), options);
    } finally {
      // A write that fails early never begins to read, and a FileHandle that is collected open ends the process.
      bytes.destroy();
    }
  }

  async #read(source: TitleSource): Promise<Readable> {
    if (source.kind === 'upload') return this.#deps.uploads.read(source.uploadId);
    assert(source.kind === 'path', 'what has no source is not stored');
    const { handle } = await openSource(source.path, this.#deps.ingestRoots);
    return handle.createReadStream({ highWaterMark: 1024 * 1024 });
  }

  /** Stores the captions beside the video; those that are no longer as they were are left out. Errors: those of the store. */
  async #storeCaptions(id: string, { captions = [] }: Making): Promise<Pick<Making, 'captions' | 'notices'>> {
    const kept: TitleCaptions[] = [];
    const notices: string[] = [];
    for (const one of captions) {
      try {
        await this.#storeText(captionsKey(id, kept.length), one);
        kept.push(one);
      } catch (error) {
        if (!isCoded(error, ...gone)) throw error;
        this.#deps.log.warn({ titleId: id, captions: one.name, err: error }, 'captions could not be stored');
        notices.push(`captions ${one.name} are left out: ${error.code}: they have changed or gone meanwhile`);
      }
    }
    return { ...(captions.length > 0 && { captions: kept }), ...(notices.length > 0 && { notices }) };
  }

  async #storeText(key: string, { source, sizeBytes }: TitleCaptions): Promise<void> {
    const bytes = await this.#read(source);
    bytes.on('error', () => undefined);
    try {
      await this.#deps.blobs.write(key, bytes, { sizeBytes, signal: this.#stop.signal });
    } finally {
      bytes.destroy();
    }
  }

  async *#counted(titleId: string, bytes: Readable): AsyncGenerator<Uint8Array> {
    let doneBytes = 0;
    try {
      for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
        yield chunk;
        doneBytes += chunk.length;
        this.#doneBytes.set(titleId, doneBytes);
      }
    } catch (error) {
      throw storeError(error, 'reading a source');
    }
  }

  async #queue(id: string, making: Making, beside: Pick<Making, 'captions' | 'notices'>): Promise<void> {
    const { source, captions = [] } = making;
    const jobId = newObjectId('job', this.#deps.chance);
    const job = { jobId, state: 'queued', attempt: 0 } as const;
    const isWanted = await this.#change(id, making, {
      ...{ phase: 'queued', sourceStored: true, job },
      ...(beside.captions !== undefined && { captions: beside.captions }),
      ...(beside.notices !== undefined && { notices: beside.notices }),
    });
    if (!isWanted) {
      for (const key of [sourceKey(id), ...captionKeys(id, captions)]) await this.#deps.blobs.remove(key);
      return;
    }
    this.#deps.onQueued(id);
    for (const one of [source, ...captions.map((one) => one.source)])
      if (one.kind === 'upload') await this.#forgetUpload(one.uploadId);
  }

  /** Changes what is being made of a title, unless that is another by now: it was withdrawn, and maybe taken anew. Says whether it did. */
  async #change(id: string, making: Making, change: Parameters<typeof withMaking>[1]): Promise<boolean> {
    let isWanted = false;
    await this.#deps.titles.change(id, (title) => {
      isWanted = isStoring(title) && makingOf(title).source === making.source;
      return isWanted ? withMaking(title, change) : title;
    });
    return isWanted;
  }

  /** The title has its source; an upload that cannot be removed now is removed when it has expired. */
  async #forgetUpload(uploadId: string): Promise<void> {
    try {
      await this.#deps.uploads.remove(uploadId);
    } catch (error) {
      this.#deps.log.warn({ uploadId, err: error }, 'an upload could not be removed');
    }
  }

  async #fail(id: string, { making, error }: { making: Making; error: unknown }): Promise<void> {
    const { source, captions } = making;
    const { code, detail, message } = isCoded(error, 'SIZE_MISMATCH')
      ? { code: 'SOURCE_TRUNCATED', detail: 'the file has changed while it was read', message: '' }
      : toCoded(error);
    await this.#change(id, making, { phase: 'failed', error: { code, detail: detail ?? message } });
    if (source.kind === 'upload') await this.#deps.uploads.release(source.uploadId);
    await releaseCaptions(this.#deps.uploads, captions);
  }
}

function isStoring(title: TitleRecord): boolean {
  return makingOf(title).phase === 'storing';
}

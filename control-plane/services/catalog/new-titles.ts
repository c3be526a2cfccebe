import type { TitleMetadata } from '../../../common/contract/title-metadata.ts';
import type { CaptionFile, TitleRequest } from '../../../common/contract/titles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import { releaseCaptions, takeCaptions, usableCaptions } from './caption-files.ts';
import { checkMetadata } from './core/check-metadata.ts';
import { holdsOthers } from './core/family.ts';
import type { Departures } from './departures.ts';
import { openSource } from './ingest-path.ts';
import { departureOf } from './live-review.ts';
import type { CatalogOptions } from './ports.ts';
import { bundlesOf, isAtWork, isOnAir, makingOf } from './making.ts';
import {
  formerMax,
  type TitleBundle,
  type TitleCaptions,
  type TitleRecord,
  type TitleSource,
} from './records.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

export interface NewTitlesDependencies {
  readonly titles: Titles;
  readonly uploads: Uploads;
  readonly departures: Pick<Departures, 'note' | 'checkRoom' | 'leftMs'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: Pick<CatalogOptions, 'ingestRoots' | 'sourceSizeBytesMax'>;
}

/** What an import keeps with a title: what it has told of it, and what tells its video from another of the same path. */
export type Imported = Pick<TitleRecord, 'told' | 'sourceMark'>;

/** The video that a title is to be made of anew. */
export type NewSource = Pick<TitleRequest, 'path' | 'uploadId' | 'captions'> &
  Pick<TitleRecord, 'sourceMark'>;

/** Makes titles as they are asked for. */
export class NewTitles {
  readonly #deps: NewTitlesDependencies;

  constructor(deps: NewTitlesDependencies) {
    this.#deps = deps;
  }

  /** Adds a title whose source is still to be stored, if it has one. Errors: those of `Catalog.createTitle`. */
  async add(request: TitleRequest, imported: Imported = {}): Promise<TitleRecord> {
    const { titles, uploads, chance, log } = this.#deps;
    const metadata = valueOf(checkMetadata({ ...request.details, name: request.name }));
    const id = newObjectId('title', chance);
    const taken = await this.#take(id, request);
    const title = { ...this.#recordOf(request, { id, metadata, ...taken }), ...imported };
    try {
      await titles.add(title);
    } catch (error) {
      await releaseSources(uploads, taken);
      throw error;
    }
    log.info({ titleId: id, ...brief(taken) }, 'title added');
    return title;
  }

  /** Of files of captions those that could be taken now, and what is wrong with the first of the others. Errors: those of the store. */
  usableCaptions(files: readonly CaptionFile[]): ReturnType<typeof usableCaptions> {
    return usableCaptions(this.#deps, files);
  }

  /**
   * The title that `add` would make, its place among others not looked at; `uploads`: a video will be uploaded for it. Errors: as `add`,
   * those of uploads aside.
   */
  async rehearse(request: TitleRequest, { uploads }: { uploads: boolean }): Promise<TitleRecord> {
    const metadata = valueOf(checkMetadata({ ...request.details, name: request.name }));
    const isToCome = uploads && !holdsOthers(metadata.kind ?? 'movie');
    const id = newObjectId('title', this.#deps.chance);
    const { source, sizeBytes } = isToCome
      ? { source: { kind: 'path', path: '' } as const, sizeBytes: 0 }
      : await this.#source(id, request);
    return this.#recordOf(request, { id, metadata, source, sizeBytes });
  }

  /**
   * Begins a title anew with another video, whatever it was made of before. One that is on the air stays so with what it has until the new
   * one is live. Errors: those of a source; CONFLICT while it is being made; OVERLOADED (it was made anew too often); TITLE_UNKNOWN.
   */
  async retake(id: string, { sourceMark, ...request }: NewSource): Promise<void> {
    const { titles, uploads, departures, log } = this.#deps;
    departures.checkRoom(id, 'title');
    const taken = await this.#take(id, { ...request, name: titles.get(id).name });
    try {
      const title = titles.get(id);
      // One that was on the air before it came again is held for its sessions yet.
      for (const bundle of leftBehind(title))
        await departures.note(departureOf(title, bundle, departures.leftMs(id, bundle.bundle)));
      await titles.change(id, (title) => begunAnew(title, { ...taken, sourceMark }));
    } catch (error) {
      await releaseSources(uploads, taken);
      throw error;
    }
    log.info({ titleId: id, ...brief(taken) }, 'a title is made anew');
  }

  #recordOf(
    { pinned = false, urgent, forecast, details: told, assumed }: TitleRequest,
    of: TakenSources & { id: string; metadata: TitleMetadata },
  ): TitleRecord {
    const { name, ...details } = of.metadata;
    return {
      version: 1,
      id: of.id,
      name,
      pinned,
      ...(urgent !== undefined && { urgent }),
      ...(forecast !== undefined && { forecast }),
      ...(assumed !== undefined && { assumed }),
      createdAtMs: this.#deps.clock.nowMs(),
      phase: of.source.kind === 'none' ? 'live' : 'storing',
      source: of.source,
      sourceSizeBytes: of.sizeBytes,
      sourceStored: false,
      ...(of.captions !== undefined && { captions: of.captions }),
      ...(told !== undefined && { details }),
    };
  }

  /** The video and what lies beside it; of both nothing is claimed where one cannot be taken. */
  async #take(titleId: string, request: TitleRequest): Promise<TakenSources> {
    const video = await this.#source(titleId, request);
    const { captions: files = [] } = request;
    if (files.length === 0) return video;
    if (video.source.kind === 'none')
      throw coded('INVALID', 'what has no video of its own has no captions: leave them out');
    try {
      return { ...video, captions: await takeCaptions(this.#deps, titleId, files) };
    } catch (error) {
      await releaseSources(this.#deps.uploads, video);
      throw error;
    }
  }

  async #source(
    titleId: string,
    { uploadId, path, details: { kind = 'movie' } = {} }: TitleRequest,
  ): Promise<{ source: TitleSource; sizeBytes: number }> {
    if (holdsOthers(kind)) {
      if (uploadId === undefined && path === undefined) return { source: { kind: 'none' }, sizeBytes: 0 };
      throw coded('INVALID', `a ${kind} has no video of its own: leave out uploadId and path`);
    }
    if ((uploadId === undefined) === (path === undefined)) {
      throw coded('INVALID', 'a title is made from exactly one of uploadId and path');
    }
    if (uploadId !== undefined) {
      const { sizeBytes } = await this.#deps.uploads.claim(uploadId, titleId);
      return { source: { kind: 'upload', uploadId }, sizeBytes };
    }
    const { ingestRoots, sourceSizeBytesMax } = this.#deps.options;
    const { handle, sizeBytes } = await openSource(path ?? '', ingestRoots);
    await handle.close();
    if (sizeBytes > sourceSizeBytesMax) {
      throw coded(
        'UPLOAD_TOO_LARGE',
        `${path ?? ''} has ${sizeBytes} bytes; at most ${sourceSizeBytesMax} are taken`,
      );
    }
    return { source: { kind: 'path', path: path ?? '' }, sizeBytes };
  }
}

/** What a title is to be made of. */
interface TakenSources {
  readonly source: TitleSource;
  readonly sizeBytes: number;
  readonly captions?: TitleCaptions[];
}

function brief({ source, sizeBytes, captions = [] }: TakenSources): object {
  return { source: source.kind, sizeBytes, captions: captions.length };
}

async function releaseSources(uploads: Uploads, { source, captions }: TakenSources): Promise<void> {
  if (source.kind === 'upload') await uploads.release(source.uploadId);
  await releaseCaptions(uploads, captions);
}

/** What a title that begins anew has of bundles that nobody plays. */
function leftBehind(title: TitleRecord): TitleBundle[] {
  return isOnAir(title) ? present(title.replacement?.bundle) : bundlesOf(title);
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

/** Errors: CONFLICT, OVERLOADED. */
function begunAnew(
  title: TitleRecord,
  { source, sizeBytes, captions, sourceMark }: TakenSources & { sourceMark: string | undefined },
): TitleRecord {
  if (isAtWork(title)) throw coded('CONFLICT', `${title.name} is being made: ${makingOf(title).phase}`);
  if ((title.former?.length ?? 0) >= formerMax)
    throw coded(
      'OVERLOADED',
      `${formerMax} earlier videos of ${title.name} are played yet, at sites that wait for the later ones; let those get their copies first`,
    );
  const begun = {
    ...{ phase: 'storing' as const, source, sourceSizeBytes: sizeBytes, sourceStored: false },
    ...(captions !== undefined && { captions }),
    ...(sourceMark !== undefined && { sourceMark }),
  };
  if (isOnAir(title)) return { ...title, replacement: begun };
  const { bundle: _bundle, job: _job, error: _error, waitingSites: _sites, ...rest } = title;
  const { sourceMark: _mark, replacement: _replacement, former: _former, ...more } = rest;
  const { captions: _captions, notices: _notices, ...kept } = more;
  return { ...kept, ...begun };
}

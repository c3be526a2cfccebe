import type { TitleRequest } from '../../../common/contract/titles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import { checkMetadata } from './core/check-metadata.ts';
import { holdsOthers } from './core/family.ts';
import { openSource } from './ingest-path.ts';
import type { CatalogOptions } from './ports.ts';
import type { TitleRecord, TitleSource } from './records.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

export interface NewTitlesDependencies {
  readonly titles: Titles;
  readonly uploads: Uploads;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: Pick<CatalogOptions, 'ingestRoots' | 'sourceSizeBytesMax'>;
}

/** Makes titles as they are asked for. */
export class NewTitles {
  readonly #deps: NewTitlesDependencies;

  constructor(deps: NewTitlesDependencies) {
    this.#deps = deps;
  }

  /** Adds a title whose source is still to be stored, if it has one. Errors: those of `Catalog.createTitle`. */
  async add(request: TitleRequest): Promise<TitleRecord> {
    const { titles, uploads, clock, chance, log } = this.#deps;
    const { pinned = false, urgent, forecast } = request;
    const { name, ...details } = valueOf(checkMetadata({ ...request.details, name: request.name }));
    const id = newObjectId('title', chance);
    const { source, sizeBytes } = await this.#source(id, request);
    const title: TitleRecord = {
      version: 1,
      id,
      name,
      pinned,
      ...(urgent !== undefined && { urgent }),
      ...(forecast !== undefined && { forecast }),
      createdAtMs: clock.nowMs(),
      phase: source.kind === 'none' ? 'live' : 'storing',
      source,
      sourceSizeBytes: sizeBytes,
      sourceStored: false,
      ...(request.details !== undefined && { details }),
    };
    try {
      await titles.add(title);
    } catch (error) {
      if (source.kind === 'upload') await uploads.release(source.uploadId);
      throw error;
    }
    log.info({ titleId: id, source: source.kind, sizeBytes }, 'title added');
    return title;
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

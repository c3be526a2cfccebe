import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { writeBlobBytes } from '../../../common/adapters/blobs/bytes.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { ArtworkRequest, ArtworkView } from '../../../common/contract/artwork.ts';
import { languageOf } from '../../../common/core/language.ts';
import { pictureSizeBytesMax, readPicture } from '../../../common/core/picture.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, toCoded, valueOf } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import { createTurns } from '../turns.ts';
import type { ArtworkShelf, ArtworkSlot } from './artwork-shelf.ts';
import { pickArtwork, type ArtworkWish } from './core/pick-artwork.ts';
import { pictureHeldMs, type Departures } from './departures.ts';
import { openSource } from './ingest-path.ts';
import { sourceKey } from './ingest.ts';
import type { CatalogBundle, CatalogOptions, Fleet } from './ports.ts';
import type { ArtworkRecord } from './records.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

/** A picture that is made, as links to it are made of. */
export type MadeArtwork = Pick<ArtworkRecord, 'kind' | 'language'> & {
  readonly bundle: NonNullable<ArtworkRecord['bundle']>;
};

/** Pictures of titles. */
export interface Artwork {
  /**
   * Takes a picture for a title: it is looked at, stored and queued. The one of before stays until this one is made; the very same source as
   * before is no change. `mark`: what an import goes by to tell it from another. Errors: TITLE_UNKNOWN, INVALID, SOURCE_EMPTY,
   * SOURCE_NOT_PICTURE, SOURCE_TRUNCATED, SOURCE_REFUSED, those of uploads and paths, OVERLOADED, CONFLICT (the title is withdrawn).
   */
  set(
    titleId: string,
    request: ArtworkRequest,
    mark?: string,
  ): Promise<{ view: ArtworkView; isNew: boolean }>;
  /** Of a title, oldest first. Errors: TITLE_UNKNOWN. */
  views(titleId: string): ArtworkView[];
  /** Removes a picture, its bundle being refused before: whoever repeats what failed finds it there. Errors: ARTWORK_UNKNOWN, those of `refuse`. */
  remove(titleId: string, id: string, refuse: (bundle: string) => Promise<unknown>): Promise<void>;
  /** Removes all pictures of a title; gives the bundles that are to be shown no more. It waits neither for blobs nor for a file that is read. */
  removeAll(titleId: string): Promise<string[]>;
  /** What is made of a title, each kind once in the best of the wanted languages; what it lacks is that of what it is part of. */
  picked(titleId: string, wish: ArtworkWish): MadeArtwork[];
  /** The bundles of a title's pictures, and of those of before that links may show yet. */
  bundlesOf(titleId: string): CatalogBundle[];
  /** The same of all titles: what placement and fill are made from. */
  bundles(): CatalogBundle[];
}

export interface ArtworkDependencies {
  readonly shelf: ArtworkShelf;
  readonly titles: Titles;
  readonly uploads: Uploads;
  readonly departures: Departures;
  readonly blobs: Blobs;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: Pick<CatalogOptions, 'ingestRoots'>;
  readonly queued: (artworkId: string) => void;
  readonly forgotten: (artworkId: string) => void;
}

const removedLater = 'a source could not be removed; it is tried again at the next start';
/** What keys of sources of pictures begin with. */
const sourcePrefix = sourceKey('artwork_');

/** Keeps the pictures of titles. */
export class TitleArtwork implements Artwork {
  readonly #deps: ArtworkDependencies;
  /** One is read at a time: each is in memory as a whole. */
  readonly #reading = createTurns();
  readonly #inTurn = createTurns();
  /** What has a source in blobs, or will have, and is not on the shelf yet. */
  readonly #storing = new Set<string>();
  /** Sources that are being removed from blobs, which nobody waits for. */
  readonly #removing = new Set<Promise<void>>();

  constructor(deps: ArtworkDependencies) {
    this.#deps = deps;
  }

  set(...wanted: Parameters<Artwork['set']>): ReturnType<Artwork['set']> {
    return this.#reading(() => this.#set(...wanted));
  }

  async #set(
    titleId: string,
    { kind, language: typed, ...source }: ArtworkRequest,
    given?: string,
  ): Promise<{ view: ArtworkView; isNew: boolean }> {
    const { shelf, log } = this.#deps;
    this.#checkNotWithdrawn(titleId);
    const language = typed === undefined ? undefined : valueOf(languageOf(typed));
    const slot = { titleId, kind, ...(language !== undefined && { language }) };
    const id = newObjectId('artwork', this.#deps.chance);
    const bytes = await this.#read(id, source);
    try {
      valueOf(readPicture(bytes));
      const mark = given ?? createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
      const same = this.#standing(slot, mark);
      if (same === undefined) await this.#store(slot, { id, bytes, mark });
      if (source.uploadId !== undefined) await this.#deps.uploads.remove(source.uploadId);
      log.info(
        { titleId, artwork: same?.id ?? id, kind, language, isNew: same === undefined },
        'artwork set',
      );
      return { view: this.#view(same ?? shelf.get(id)), isNew: same === undefined };
    } catch (error) {
      if (source.uploadId !== undefined) await this.#giveUp(source.uploadId, error);
      throw error;
    }
  }

  views(titleId: string): ArtworkView[] {
    this.#deps.titles.get(titleId);
    return this.#deps.shelf.ofTitle(titleId).map((one) => this.#view(one));
  }

  async remove(titleId: string, id: string, refuse: (bundle: string) => Promise<unknown>): Promise<void> {
    const artwork = this.#deps.shelf.get(id);
    if (artwork.titleId !== titleId) throw coded('ARTWORK_UNKNOWN', `${id} is of another title`);
    if (artwork.bundle !== undefined) await refuse(artwork.bundle.bundle);
    await this.#leave(id, 0);
    const removed = await this.#forget(artwork);
    // It was made meanwhile.
    if (artwork.bundle === undefined && removed !== undefined) await refuse(removed);
  }

  async removeAll(titleId: string): Promise<string[]> {
    return await this.#inTurn(async () => {
      const { shelf, departures } = this.#deps;
      const bundles = departures.held('artwork', titleId).map(({ bundle }) => bundle);
      for (const artwork of shelf.ofTitle(titleId)) {
        await this.#leave(artwork.id, 0);
        const bundle = await this.#forget(artwork);
        if (bundle !== undefined) bundles.push(bundle);
      }
      await departures.release(new Set(bundles));
      return bundles;
    });
  }

  picked(titleId: string, wish: ArtworkWish): MadeArtwork[] {
    const { shelf, titles } = this.#deps;
    const family: MadeArtwork[][] = [];
    for (let title = titles.find(titleId); title !== undefined;) {
      family.push(shelf.ofTitle(title.id).filter(isMade));
      const { parentId } = title.details ?? {};
      title = parentId === undefined ? undefined : titles.find(parentId);
    }
    return pickArtwork(family, wish);
  }

  bundlesOf(titleId: string): CatalogBundle[] {
    const { shelf, departures } = this.#deps;
    return this.#withHeld(shelf.ofTitle(titleId), departures.held('artwork', titleId));
  }

  bundles(): CatalogBundle[] {
    const { shelf, departures } = this.#deps;
    return this.#withHeld(shelf.all(), departures.held('artwork'));
  }

  #withHeld(artwork: readonly ArtworkRecord[], held: readonly CatalogBundle[]): CatalogBundle[] {
    const found = artwork.flatMap((one) => this.#bundleOf(one));
    const names = new Set(found.map(({ bundle }) => bundle));
    return [...found, ...held.filter(({ bundle }) => !names.has(bundle))];
  }

  /** The files of all pictures that are made. */
  made(): CatalogBundle[] {
    return this.#deps.shelf.all().flatMap((one) => this.#bundleOf(one));
  }

  /** One is made: what stood in its place makes room for it. */
  async replaceBy(id: string): Promise<void> {
    const { shelf } = this.#deps;
    const artwork = shelf.get(id);
    for (const other of shelf.inSlot(artwork)) {
      if (other.id === id) break;
      // Links to it are good for up to a day.
      await this.#leave(other.id, pictureHeldMs);
      await this.#forget(other);
    }
  }

  /** Removes from blobs the source of one that is made or has failed. */
  async dropSource(id: string): Promise<void> {
    const { blobs, shelf, log } = this.#deps;
    const artwork = shelf.find(id);
    const isOver = artwork?.phase === 'made' || artwork?.phase === 'failed';
    if (artwork?.sourceStored !== true || !isOver) return;
    try {
      await blobs.remove(sourceKey(id));
      await shelf.change(id, (current) => ({ ...current, sourceStored: false }));
    } catch (error) {
      log.warn({ artwork: id, err: error }, removedLater);
    }
  }

  /** Resolves when no source is left to be removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#removing);
  }

  /** Goes on with what an earlier process had begun. */
  async reconcile(): Promise<void> {
    for (const { id, phase } of this.#deps.shelf.all()) {
      if (phase === 'made' && this.#deps.shelf.find(id) !== undefined) await this.replaceBy(id);
      await this.dropSource(id);
    }
    await this.#sweep();
  }

  /** Removes from blobs the sources of what is not there: of a process that died between the two, or while blobs were away. */
  async #sweep(): Promise<void> {
    const { blobs, shelf, log } = this.#deps;
    try {
      for (let after: string | undefined; ;) {
        const entries = await blobs.list(sourcePrefix, { after });
        for (const { key } of entries) {
          const id = key.slice(sourceKey('').length);
          if (shelf.find(id) === undefined && !this.#storing.has(id)) await blobs.remove(key);
        }
        after = entries.at(-1)?.key;
        if (after === undefined) return;
      }
    } catch (error) {
      log.warn(
        { err: error },
        'sources of pictures that are gone were not looked for; tried again at the next start',
      );
    }
  }

  #checkNotWithdrawn(titleId: string): void {
    const { name, phase } = this.#deps.titles.get(titleId);
    if (phase === 'withdrawn') throw coded('CONFLICT', `${name} is withdrawn: take its video anew first`);
  }

  #standing(slot: ArtworkSlot, mark: string): ArtworkRecord | undefined {
    const newest = this.#deps.shelf.inSlot(slot).at(-1);
    return newest?.mark === mark && newest.phase !== 'failed' ? newest : undefined;
  }

  async #read(id: string, { uploadId, path }: Pick<ArtworkRequest, 'uploadId' | 'path'>): Promise<Buffer> {
    const { uploads, options } = this.#deps;
    if ((uploadId === undefined) === (path === undefined))
      throw coded('INVALID', 'a picture is made from exactly one of uploadId and path');
    if (uploadId !== undefined) {
      const { sizeBytes } = await uploads.claim(uploadId, id);
      try {
        checkSize(sizeBytes);
        return await buffer(uploads.read(uploadId));
      } catch (error) {
        await this.#giveUp(uploadId, error);
        throw error;
      }
    }
    const { handle, sizeBytes } = await openSource(path ?? '', options.ingestRoots);
    try {
      checkSize(sizeBytes);
      const bytes = Buffer.alloc(sizeBytes);
      const { bytesRead } = await handle.read(bytes, 0, sizeBytes, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** What was refused is not asked for again, and many of an import would leave no room for its other uploads; what failed here may be. */
  async #giveUp(uploadId: string, error: unknown): Promise<void> {
    const { uploads } = this.#deps;
    await (toCoded(error).status < 500 ? uploads.remove(uploadId) : uploads.release(uploadId));
  }

  async #store(
    slot: ArtworkSlot,
    { id, bytes, mark }: { id: string; bytes: Buffer; mark: string },
  ): Promise<void> {
    const { blobs } = this.#deps;
    this.#storing.add(id);
    try {
      await writeBlobBytes({ blobs, key: sourceKey(id) }, bytes);
      await this.#inTurn(() => this.#put(slot, { id, sizeBytes: bytes.length, mark }));
    } catch (error) {
      await this.#removeSource(id);
      throw error;
    } finally {
      this.#storing.delete(id);
    }
  }

  /** Puts one whose source is stored on the shelf, and into the queue. */
  async #put(
    slot: ArtworkSlot,
    { id, sizeBytes, mark }: { id: string; sizeBytes: number; mark: string },
  ): Promise<void> {
    const { shelf, chance, clock, queued } = this.#deps;
    this.#deps.departures.checkRoom(slot.titleId, 'artwork');
    // A withdrawal takes what is there by then.
    this.#checkNotWithdrawn(slot.titleId);
    const standing = shelf.inSlot(slot);
    // The newest, also by a clock that was set back: it is what counts.
    const createdAtMs = Math.max(clock.nowMs(), (standing.at(-1)?.createdAtMs ?? 0) + 1);
    await shelf.add({
      version: 1,
      ...{ id, titleId: slot.titleId, kind: slot.kind },
      ...(slot.language !== undefined && { language: slot.language }),
      ...{ createdAtMs, phase: 'queued', sourceSizeBytes: sizeBytes, sourceStored: true },
      ...{ mark, job: { jobId: newObjectId('job', chance), state: 'queued', attempt: 0 } },
    });
    queued(id);
    // What was to come in its place comes no more.
    for (const other of standing) if (shelf.find(other.id)?.phase !== 'made') await this.#forget(other);
  }

  /** Notes, before it is forgotten, that the bundle of one that is made is to go from boxes and blobs. */
  async #leave(id: string, heldMs: number): Promise<void> {
    const artwork = this.#deps.shelf.find(id);
    const [bundle] = artwork === undefined ? [] : this.#bundleOf(artwork);
    if (bundle === undefined) return;
    const { titleId, name, pinned, files } = bundle;
    await this.#deps.departures.note({
      ...{ titleId, name, pinned, of: 'artwork', bundle: bundle.bundle, files: [...files], heldMs },
    });
  }

  /** Gives the bundle that it had at the last. */
  async #forget({ id }: ArtworkRecord): Promise<string | undefined> {
    const { shelf, forgotten } = this.#deps;
    const removed = await shelf.remove(id);
    // Not before: it could be leased meanwhile.
    forgotten(id);
    if (removed?.sourceStored === true) {
      const removing = this.#removeSource(id).finally(() => this.#removing.delete(removing));
      this.#removing.add(removing);
    }
    return removed?.bundle?.bundle;
  }

  async #removeSource(id: string): Promise<void> {
    const { blobs, log } = this.#deps;
    await blobs.remove(sourceKey(id)).catch((error: unknown) => {
      log.warn({ artwork: id, err: error }, removedLater);
    });
  }

  #bundleOf(artwork: ArtworkRecord): CatalogBundle[] {
    const title = this.#deps.titles.find(artwork.titleId);
    if (artwork.bundle === undefined || title === undefined) return [];
    const { bundle, sizeBytes: ownBytes, files: sizes } = artwork.bundle;
    const own = { file: bundle, ext: 'json', sizeBytes: ownBytes };
    const files = [own, ...sizes.map(({ file, ext, sizeBytes }) => ({ file, ext, sizeBytes }))];
    const { name, pinned, urgent = false } = title;
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    return [
      { titleId: title.id, name: `${name}: ${artwork.kind}`, pinned, urgent, bundle, files, sizeBytes },
    ];
  }

  #view(artwork: ArtworkRecord): ArtworkView {
    const { id, titleId, kind, language, phase, createdAtMs, error, bundle } = artwork;
    const [published] = this.#bundleOf(artwork);
    return {
      ...{ id, titleId, kind, createdAtMs, state: phase === 'made' ? 'live' : phase },
      ...(language !== undefined && { language }),
      ...(error !== undefined && { error }),
      ...(bundle !== undefined && { bundle: bundle.bundle, files: bundle.files }),
      ...(published !== undefined && { sizeBytes: published.sizeBytes }),
      holders: published === undefined ? [] : this.#deps.fleet.holdersOf(published).map((node) => node.id),
    };
  }
}

function isMade(artwork: ArtworkRecord): artwork is ArtworkRecord & MadeArtwork {
  return artwork.bundle !== undefined;
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes > pictureSizeBytesMax)
    throw coded('SOURCE_REFUSED', `it has ${sizeBytes} bytes; at most ${pictureSizeBytesMax} are taken`);
}

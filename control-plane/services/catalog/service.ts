import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { Bundle } from '../../../common/contract/bundle.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type {
  TitleList,
  TitlePatch,
  TitleRequest,
  TitleState,
  TitleView,
} from '../../../common/contract/titles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { valueOf } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { rightsIn, type Rights, type TitleFamily } from '../../core/title-rights.ts';
import { createListeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import { ArtworkShelf } from './artwork-shelf.ts';
import type { Artwork, TitleArtwork } from './artwork.ts';
import { BundleStore } from './bundle-store.ts';
import { titleName } from './core/check-metadata.ts';
import { Departures } from './departures.ts';
import { dropSource, hasSource } from './drop-source.ts';
import type { EncodeQueue } from './encode-queue.ts';
import { createImporter, type Importer } from './imports.ts';
import { Ingest } from './ingest.ts';
import { bundlesOf, isAtWork } from './making.ts';
import { reviewLoop, reviewTitles, type LiveReviewDependencies } from './live-review.ts';
import type { CatalogBundle, CatalogOptions, Fleet, PopularityOf } from './ports.ts';
import { createMetadataEditor, withMetadata, type MetadataEditor } from './metadata.ts';
import { NewTitles, type Imported } from './new-titles.ts';
import { createOutlines, type Outlines } from './outlines.ts';
import { openJobs } from './open-jobs.ts';
import { playableTitle, type PlayableBy, type PlayableTitle } from './playable-title.ts';
import { createRightsGroups, type RightsGroups } from './rights-groups.ts';
import type { TitleRecord } from './records.ts';
import { settleClaims } from './settle-claims.ts';
import { titlePage, type TitlePageQuery } from './title-page.ts';
import {
  countStates,
  namesOf,
  storyOf,
  titleView,
  type TitleNames,
  type Translation,
  type ViewSources,
} from './title-view.ts';
import { changesBundles, createTitleBundles } from './title-bundles.ts';
import type { TitleBundles, WithdrawableBundles } from './title-bundles.ts';
import { familyOf, Titles } from './titles.ts';
import { Uploads } from './uploads.ts';
import { watchFolders, type WatchedFolders } from './watched-folders.ts';
import { withdrawTitle } from './withdraw-title.ts';

const sweepEveryMs = 60_000;

export interface CatalogDependencies {
  readonly records: Records;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly fleet: Fleet;
  readonly popularityOf: PopularityOf;
  readonly options: CatalogOptions;
}

/** Titles, their uploads and their encode jobs. */
export interface Catalog {
  readonly uploads: Pick<Uploads, 'create' | 'view' | 'append'>;
  readonly jobs: Pick<EncodeQueue, 'lease' | 'progress' | 'complete' | 'fail'>;
  /**
   * Makes a title of a complete upload or of a file under an ingest root and queues its encode; a series or season of nothing.
   * Errors: INVALID, UPLOAD_UNKNOWN, UPLOAD_INCOMPLETE, CONFLICT, PATH_NOT_ALLOWED, PATH_UNREADABLE, SOURCE_EMPTY, UPLOAD_TOO_LARGE,
   * OVERLOADED, TITLE_TEXT_INVALID, TITLE_PARENT_INVALID.
   */
  createTitle(request: TitleRequest): Promise<TitleView>;
  titles(): TitleView[];
  /** A page of them, oldest first; for a viewer of those that they may see. */
  page(query: TitlePageQuery, viewer?: Viewer): TitleList;
  readonly rights: Rights;
  readonly rightsGroups: Pick<RightsGroups, 'of' | 'allowed'>;
  /** Some of them, from the one of this number on. */
  titlesFrom(from: number, limit: number): TitleView[];
  /** With its synopsis and its people. Errors: TITLE_UNKNOWN. */
  title(id: string): TitleView;
  /** What a title is called and told in other languages. Errors: TITLE_UNKNOWN. */
  translations(id: string): readonly Translation[];
  /** By what a title is found beside its name. */
  names(id: string): TitleNames | undefined;
  readonly metadata: MetadataEditor;
  readonly artwork: Artwork;
  readonly imports: Importer;
  readonly watched: Pick<WatchedFolders, 'views' | 'look'>;
  readonly outlines: Outlines;
  /** Errors: TITLE_UNKNOWN, TITLE_TEXT_INVALID. */
  patchTitle(id: string, patch: TitlePatch): Promise<TitleView>;
  /** How many titles with a video there are in each state. */
  counts(): Record<TitleState, number>;
  /** Bundles of every title that is live or filling, with those that sessions may play yet: what placement, fill and the steering map are made from. */
  bundles(): CatalogBundle[];
  /**
   * The bundle of a title that has one, to be withdrawn, with its earlier ones and the one that replaces it. Errors: TITLE_UNKNOWN,
   * TITLE_NOT_LIVE (it has no files yet), CONFLICT (another title is made of the same bundle, and would go with it).
   */
  withdrawable(titleId: string): WithdrawableBundles;
  /** Errors: TITLE_UNKNOWN. */
  isWithdrawn(titleId: string): boolean;
  /**
   * Takes a title out of `bundles()`, until its video is taken anew, and its pictures and what else was made of it for good; gives the
   * bundles of those. Errors: TITLE_UNKNOWN.
   */
  withdraw(titleId: string): Promise<string[]>;
  /**
   * A title that is live, also at the viewer's site if that is known, and that the viewer may have if there is one. Errors: TITLE_UNKNOWN
   * (also for what the viewer may not have), TITLE_NOT_LIVE, BUNDLE_INVALID.
   */
  playable(titleId: string, by?: PlayableBy): Promise<PlayableTitle>;
  /** A bundle's content by its name. Errors: BUNDLE_INVALID. */
  bundle(name: string): Promise<Bundle>;
  /** Hears of each title that was added or changed, or of which others may have it by a change of one that it is part of or that is part of it. */
  onTitleChange(listener: (titleId: string) => void): () => void;
  /** Hears that `bundles()` has changed: a title encoded, live, pinned or renamed. */
  onBundlesChange(listener: () => void): () => void;
  /** Looks which titles have become live, and where; called when holdings or the plan have changed. */
  review(): Promise<void>;
  /** Lets boxes and blobs forget what no session can play any more. */
  sweep(): Promise<void>;
  /** Resolves when no source is left to be stored or removed: for tests and orderly stops. */
  settled(): Promise<void>;
  /** Starts what runs beside requests; ends with the signal. */
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

/** Opens the catalog over its records and blobs. Errors: those of the ports. */
export async function createCatalog(deps: CatalogDependencies): Promise<Catalog> {
  const { options, records } = deps;
  const titles = await Titles.open(records, options);
  const uploads = await Uploads.open(deps);
  await settleClaims(titles, uploads);
  const [shelf, departures] = [await ArtworkShelf.open(records), await Departures.open(deps)];
  return new CatalogService(deps, { titles, uploads, shelf, departures });
}

interface CatalogParts {
  readonly titles: Titles;
  readonly uploads: Uploads;
  readonly shelf: ArtworkShelf;
  readonly departures: Departures;
}

class CatalogService implements Catalog {
  readonly uploads: Uploads;
  readonly jobs: EncodeQueue;
  readonly #deps: CatalogDependencies;
  readonly #titles: Titles;
  readonly #departures: Departures;
  readonly #titleBundles: TitleBundles;
  readonly #family: TitleFamily<TitleRecord>;
  readonly #bundles: BundleStore;
  readonly #ingest: Ingest;
  readonly #newTitles: NewTitles;
  readonly rights: Rights;
  readonly rightsGroups: RightsGroups;
  readonly metadata: MetadataEditor;
  readonly artwork: TitleArtwork;
  readonly imports: Importer;
  readonly watched: WatchedFolders;
  readonly #live: LiveReviewDependencies;
  readonly outlines: Outlines;
  readonly #view: ViewSources;
  readonly #bundlesChange = createListeners<undefined>();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  readonly #inTurn = createTurns();
  #drops: Promise<unknown> = Promise.resolve();

  constructor(deps: CatalogDependencies, { titles, uploads, shelf, departures }: CatalogParts) {
    this.#deps = deps;
    this.#titles = titles;
    this.uploads = uploads;
    this.#departures = departures;
    this.#titleBundles = createTitleBundles({ titles, departures });
    this.#newTitles = new NewTitles({ ...deps, titles, uploads, departures });
    this.metadata = createMetadataEditor(titles);
    this.#family = familyOf(titles);
    this.rights = rightsIn(this.#family, () => deps.clock.nowMs());
    this.outlines = createOutlines(titles);
    this.rightsGroups = createRightsGroups(titles, deps.clock);
    this.#live = { ...deps, titles, departures };
    this.imports = createImporter({
      ...{ titles, newTitles: this.#newTitles, artwork: { set: (...of) => this.artwork.set(...of) } },
      create: (request, imported) => this.#add(request, imported),
      // In turn with the removal of sources: what is stored anew stays.
      retake: async (id, source) => {
        await this.#inTurn(() => this.#newTitles.retake(id, source));
        this.#ingest.add(id);
      },
    });
    this.watched = watchFolders({
      ...{ importer: this.imports, folders: deps.options.watchFolders },
      ...{ isAtWork: (id) => isAtWork(titles.get(id)), clock: deps.clock, log: deps.log },
    });
    this.#bundles = new BundleStore(deps.blobs);
    ({ jobs: this.jobs, artwork: this.artwork } = openJobs(deps, {
      ...{ titles, uploads, shelf, departures, bundles: this.#bundles, inTurn: this.#inTurn },
      titleDone: (titleId) => {
        this.#dropSource(titleId);
      },
      artworkDone: (id) => {
        this.#drops = this.#inTurn(() => this.artwork.dropSource(id));
      },
    }));
    this.#ingest = new Ingest({
      ...deps,
      titles,
      uploads,
      ingestRoots: deps.options.ingestRoots,
      onQueued: (titleId) => {
        this.jobs.add(titleId);
      },
    });
    this.#view = {
      queue: this.jobs,
      ingest: this.#ingest,
      ...{ fleet: deps.fleet, bundles: this.#titleBundles, departures },
      popularityOf: deps.popularityOf,
      encodeAttemptsMax: deps.options.encodeAttemptsMax,
      clock: deps.clock,
    };
    titles.changes.add((change) => {
      if (changesBundles(change)) this.#bundlesChange.tell(undefined);
    });
    for (const { changes } of [shelf, departures])
      changes.add(() => {
        this.#bundlesChange.tell(undefined);
      });
  }

  async createTitle(request: TitleRequest): Promise<TitleView> {
    return this.title((await this.#add(request)).id);
  }

  async #add(request: TitleRequest, imported: Imported = {}): Promise<{ id: string }> {
    const title = await this.#newTitles.add(request, imported);
    if (title.source.kind !== 'none') this.#ingest.add(title.id);
    return title;
  }

  titles(): TitleView[] {
    return this.titlesFrom(0, Infinity);
  }

  page(query: TitlePageQuery, viewer?: Viewer): TitleList {
    const isShown = ({ id }: TitleRecord): boolean => viewer === undefined || this.rights.isShown(id, viewer);
    const { titles, ...more } = titlePage(this.#titles, query, isShown);
    return { titles: titles.map((title) => titleView(title, this.#view)), ...more };
  }

  titlesFrom(from: number, limit: number): TitleView[] {
    return this.#titles.some(from, limit).map((title) => titleView(title, this.#view));
  }

  title(id: string): TitleView {
    const title = this.#titles.get(id);
    return { ...titleView(title, this.#view), ...storyOf(title) };
  }

  translations(id: string): readonly Translation[] {
    return this.#titles.get(id).details?.translations ?? [];
  }

  names(id: string): TitleNames | undefined {
    const title = this.#titles.find(id);
    return title && namesOf(title);
  }

  async patchTitle(id: string, { name, pinned, urgent, forecast }: TitlePatch): Promise<TitleView> {
    const line = name === undefined ? undefined : valueOf(titleName(name));
    await this.#titles.change(id, (title) => ({
      ...(line === undefined ? title : withMetadata(title, { ...title.details, name: line })),
      ...(pinned !== undefined && { pinned }),
      ...(urgent !== undefined && { urgent }),
      ...(forecast !== undefined && { forecast }),
    }));
    return this.title(id);
  }

  counts(): Record<TitleState, number> {
    return countStates(this.#titles.all());
  }

  bundles(): CatalogBundle[] {
    return this.#titleBundles.all();
  }

  withdrawable(titleId: string): WithdrawableBundles {
    return this.#titleBundles.withdrawable(this.#titles.get(titleId));
  }

  isWithdrawn(titleId: string): boolean {
    return this.#titles.get(titleId).phase === 'withdrawn';
  }

  async withdraw(titleId: string): Promise<string[]> {
    const videos = await withdrawTitle(titleId, {
      ...{ titles: this.#titles, bundles: this.#titleBundles, departures: this.#departures },
      ...{ jobs: this.jobs, uploads: this.uploads },
    });
    this.#dropSource(titleId);
    return [...videos, ...(await this.artwork.removeAll(titleId))];
  }

  async playable(titleId: string, by: PlayableBy = {}): Promise<PlayableTitle> {
    return await playableTitle(titleId, by, {
      ...{ titles: this.#titles, family: this.#family, rights: this.rights },
      bundleOf: (name) => this.bundle(name),
    });
  }

  async bundle(name: string): Promise<Bundle> {
    return (await this.#bundles.read(name)).bundle;
  }

  onBundlesChange(listener: () => void): () => void {
    return this.#bundlesChange.add(listener);
  }

  onTitleChange(listener: (titleId: string) => void): () => void {
    return this.#titles.changes.add((change) => {
      for (const id of this.rightsGroups.touchedBy(change)) listener(id);
    });
  }

  async review(): Promise<void> {
    await reviewTitles(this.#live);
  }

  async sweep(): Promise<void> {
    const used = (): Set<string> => {
      const made = [...this.#titles.all().flatMap(bundlesOf), ...this.artwork.made()];
      return new Set(made.flatMap(({ files }) => files.map(({ file }) => file)));
    };
    await this.#inTurn(() => this.#departures.sweep(used));
  }

  async settled(): Promise<void> {
    await this.#ingest.settled();
    await Promise.all([this.#drops, this.artwork.settled()]);
  }

  start(outer: AbortSignal): void {
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    this.#running = Promise.all([
      this.#reconcile(),
      this.uploads.run(signal),
      this.jobs.run(signal),
      reviewLoop(this.#live, signal),
      this.#sweepLoop(signal),
      this.watched.run(signal),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.jobs.stop();
    await this.#ingest.stop();
    await this.#running;
    await Promise.all([this.#drops, this.artwork.settled()]);
  }

  /** Goes on with what an earlier process had begun. */
  async #reconcile(): Promise<void> {
    try {
      this.#ingest.start();
      await this.#inTurn(() => this.artwork.reconcile());
      for (const title of this.#titles.all()) if (hasSource(title)) this.#dropSource(title.id);
    } catch (error) {
      this.#deps.log.error({ err: error }, 'what an earlier process left could not be finished');
    }
  }

  async #sweepLoop(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      await this.sweep().catch((error: unknown) => {
        log.error({ err: error }, 'bundles of before could not be looked after; tried again in a minute');
      });
      await clock.sleep(sweepEveryMs, { signal }).catch(() => undefined);
    }
  }

  #dropSource(titleId: string): void {
    this.#drops = this.#inTurn(() => dropSource(titleId, { ...this.#deps, titles: this.#titles }));
  }
}

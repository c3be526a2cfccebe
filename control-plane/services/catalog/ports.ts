import type { LaunchForecast } from '../../../common/contract/titles.ts';
import type { BundleHolder, WantingCluster } from '../../core/title-live.ts';

/** What the catalog needs to know of the fleet: answered at once from memory but for `mapReached`, wired to registry and placement in main. */
export interface Fleet {
  /** Nodes that hold every file of the bundle now, the bundle's own file included. */
  holdersOf(bundle: CatalogBundle): readonly BundleHolder[];
  /** Clusters in which placement wants copies; undefined until a plan was made that knows the bundle. */
  clustersWanting(bundle: CatalogBundle): readonly WantingCluster[] | undefined;
  /** Share of the wanted bytes of the bundle that stand where they are wanted, 0 to 1. */
  filledShare(bundle: CatalogBundle): number;
  /** Whether any appliance is enrolled and was not revoked. */
  appliancesExist(): boolean;
  /** Waits, a bounded time, until steering's nodes hold what is known of holders now; tells how many there are and how many do not. */
  mapReached(): Promise<{ readonly steering: number; readonly behind: number }>;
}

/** How popular a bundle is: bytes served over the smoothing window ÷ its size. */
export type PopularityOf = (bundle: EarlierBundle) => number;

/** A title's bundle as placement, fill and the steering map need it. */
export interface CatalogBundle {
  readonly titleId: string;
  readonly name: string;
  readonly pinned: boolean;
  /** Boxes fill it at once, whatever their window. */
  readonly urgent: boolean;
  /** How its launch is expected to go; a viewing streams one of so many renditions. */
  readonly forecast?: LaunchForecast & { readonly renditions: number };
  /** The bundle's own file. */
  readonly bundle: string;
  /** Every file, the bundle's own included. */
  readonly files: readonly BundleFile[];
  /** All of them together. */
  readonly sizeBytes: number;
  /** What it takes the place of: what was watched of those says what will be of it. */
  readonly succeeds?: readonly EarlierBundle[];
}

/** A bundle of before, maybe gone. */
export type EarlierBundle = Pick<CatalogBundle, 'bundle' | 'files'>;

export interface BundleFile {
  readonly file: string;
  readonly ext: string;
  readonly sizeBytes: number;
}

/** A directory that is watched, by its absolute path. */
export interface WatchFolder {
  readonly path: string;
  /** What it is known by wherever it lies; its path where none was given. */
  readonly label?: string | undefined;
}

/** Bounds and choices of the catalog. */
export interface CatalogOptions {
  /** Directory of uploads that are under way; made when absent. */
  readonly uploadsDir: string;
  /** Absolute directories that titles may be ingested from by path. */
  readonly ingestRoots: readonly string[];
  /** Directories whose videos become titles by themselves; each under an ingest root. */
  readonly watchFolders: readonly WatchFolder[];
  readonly sourceSizeBytesMax: number;
  /** How many uploads may be under way, and how many of them written at once. */
  readonly uploadsMax: number;
  readonly uploadWritersMax: number;
  /** An upload that nobody has continued for so long is removed. */
  readonly uploadTtlMs: number;
  /** A writer that sends nothing for so long is cut. */
  readonly uploadIdleMs: number;
  readonly titlesMax: number;
  /** An encoder that does not report for so long loses its job. */
  readonly encodeLeaseMs: number;
  readonly encodeAttemptsMax: number;
  /** How long a job that failed for a reason of the encoder's waits before it is tried again. */
  readonly encodeRetryDelayMs: number;
  /** Keeps sources in blobs after the encode. */
  readonly keepSources: boolean;
  /** See `LiveInput.copiesMin`. */
  readonly liveCopiesMin: number;
}

/** Defaults of everything but the directories. */
export const catalogDefaults = {
  ingestRoots: [],
  watchFolders: [],
  sourceSizeBytesMax: 1024 ** 4,
  uploadsMax: 64,
  uploadWritersMax: 8,
  uploadTtlMs: 24 * 3_600_000,
  uploadIdleMs: 30_000,
  titlesMax: 100_000,
  encodeLeaseMs: 30_000,
  encodeAttemptsMax: 3,
  encodeRetryDelayMs: 5000,
  keepSources: false,
  liveCopiesMin: 1,
} as const satisfies Omit<CatalogOptions, 'uploadsDir'>;

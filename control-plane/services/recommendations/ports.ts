import type { Viewer } from '../../../common/contract/release.ts';
import type { TitleKind } from '../../../common/contract/title-metadata.ts';
import type { ProfileTaste } from './core/taste-of.ts';

/** A title as recommendations need it. */
export interface KnownTitle {
  readonly id: string;
  readonly name: string;
  readonly kind: TitleKind;
  readonly parentId?: string | undefined;
  readonly genres: readonly string[];
  readonly people: readonly string[];
  readonly sinceMs: number;
  readonly durationMs?: number;
}

/** What recommendations need of the catalog, answered at once from memory. */
export interface RecommendedTitles {
  /** Resolves when all that is answered is as new as this call. Errors: UNAVAILABLE. */
  current(): Promise<void>;
  find(id: string): KnownTitle | undefined;
  ids(): string[];
  /** The episode that comes after one for a viewer. */
  next(id: string, viewer: Viewer): KnownTitle | undefined;
  /** Whether a viewer may be shown a title now. */
  isShown(id: string, viewer: Viewer): boolean;
  /** What a title is called in the first of the wanted languages that it has. */
  nameIn(id: string, languages: readonly string[]): string;
  /** Hears of each title that was added or changed. */
  onChange(listener: () => void): () => void;
}

/** What recommendations need of profiles. */
export interface RecommendedProfiles {
  /** Of all accounts. */
  ids(): AsyncIterable<string>;
  taste(profileId: string): Promise<ProfileTaste>;
  /** Those of an account. */
  of(accountId: string): Promise<readonly string[]>;
}

/** Bounds and periods of recommendations. */
export interface RecommendationsOptions {
  /** How many profiles' tastes are kept in memory, the latest. */
  readonly tastesMax: number;
  /** For so long: a report of a device that was lost on its way here is known after it. */
  readonly tasteKeptMs: number;
  /** Titles that the model may know: its matrix takes 4 bytes for each pair while it is trained. */
  readonly itemsMax: number;
  /** Meetings that a training reads; what is beyond is left out. */
  readonly meetingsMax: number;
  /** Fewer teach nothing. */
  readonly meetingsMin: number;
  readonly modelsKept: number;
  /** After a change of titles, how long more are awaited. */
  readonly changeDelayMs: number;
  /** How often popularity, trends and rights are looked at anew. */
  readonly refreshMs: number;
  readonly trainEveryMs: number;
  /** How often what was learned is written down. */
  readonly keepEveryMs: number;
}

const minuteMs = 60_000;

/** Defaults of all of them. */
export const recommendationsDefaults: RecommendationsOptions = {
  tastesMax: 20_000,
  tasteKeptMs: 10 * minuteMs,
  itemsMax: 12_000,
  meetingsMax: 30_000_000,
  meetingsMin: 200,
  modelsKept: 5,
  changeDelayMs: 2000,
  refreshMs: 2 * minuteMs,
  trainEveryMs: 24 * 60 * minuteMs,
  keepEveryMs: minuteMs,
};

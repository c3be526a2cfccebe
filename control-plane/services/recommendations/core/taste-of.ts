import type { Catalogue } from './catalogue.ts';
import type { Met } from './content.ts';
import { tasteWeights } from './taste.ts';

export interface SeenTitle {
  readonly titleId: string;
  readonly positionMs: number;
  readonly durationMs: number;
  readonly progress: 'hardly-begun' | 'begun' | 'ended';
  readonly atMs: number;
}

/** What a profile has shown of its taste, by the titles that were played. */
export interface ProfileTaste {
  /** Where it got to in what it played, the latest first. */
  readonly seen: readonly SeenTitle[];
  /** As `ratingValues` has them. */
  readonly ratings: ReadonlyMap<string, number>;
  /** What is not to be recommended. */
  readonly hidden: ReadonlySet<string>;
}

/**
 * The title that stands in rows for one that was played: itself, or an episode's series; undefined for what never stands there.
 */
export type OfferedFor = (titleId: string) => string | undefined;

/** One title that a profile has met. */
export interface Meeting {
  readonly titleId: string;
  /** How much it was liked, 1 to 5, told or by how much of it was watched. */
  readonly rating: number;
  readonly atMs: number;
}

/** A person as rows are made for: by the ids of what may be offered. */
export interface Person {
  /** The latest first; without what was rated down or hidden. */
  readonly meetings: readonly Meeting[];
  /** Never to be offered, each with the reason. */
  readonly kept: ReadonlyMap<string, KeptBack>;
}

export type KeptBack = 'begun' | 'finished' | 'hidden' | 'rated-down';

const leftShare = 0.2;
const meetingsMax = 1000;

/** Nobody's: of who has no profile, or has met nothing. */
export const stranger: Person = { meetings: [], kept: new Map() };

/** Reads a profile's taste. */
export function personOf(taste: ProfileTaste, offeredFor: OfferedFor): Person {
  const meetings = new Map<string, Meeting>();
  const kept = new Map<string, KeptBack>();
  for (const { titleId, positionMs, durationMs, progress, atMs } of taste.seen) {
    const offered = offeredFor(titleId);
    if (offered === undefined || progress === 'hardly-begun') continue;
    // Of a series nobody knows whether there is more; that it was begun is enough.
    kept.set(offered, offered === titleId && progress === 'ended' ? 'finished' : 'begun');
    const rating = taste.ratings.get(titleId) ?? taste.ratings.get(offered);
    const share = progress === 'ended' ? 1 : positionMs / durationMs;
    const liked = rating === undefined ? likedBy(share) : toldOf(rating);
    const before = meetings.get(offered);
    meetings.set(offered, {
      titleId: offered,
      rating: Math.max(liked, before?.rating ?? 0),
      atMs: Math.max(atMs, before?.atMs ?? 0),
    });
  }
  // What is said of one episode is not said of the series.
  for (const [titleId, rating] of taste.ratings)
    if (rating < 0 && offeredFor(titleId) === titleId) kept.set(titleId, 'rated-down');
  for (const titleId of taste.hidden) if (offeredFor(titleId) === titleId) kept.set(titleId, 'hidden');
  const told = [...meetings.values()].filter(({ titleId }) => {
    const reason = kept.get(titleId);
    return reason !== 'rated-down' && reason !== 'hidden';
  });
  return { meetings: told.sort((one, other) => other.atMs - one.atMs).slice(0, meetingsMax), kept };
}

/** What a person has met, by a catalogue's indexes. */
export function metIn({ indexOf }: Catalogue, meetings: readonly Meeting[]): Met {
  const known = meetings.filter(({ titleId }) => indexOf.has(titleId));
  const ratings = known.map(({ rating }) => rating);
  return {
    titles: Uint32Array.from(known, ({ titleId }) => indexOf.get(titleId) ?? 0),
    weights: tasteWeights(new Uint32Array(known.length), ratings, 1),
  };
}

function likedBy(share: number): number {
  if (share >= 1) return 4;
  return share < leftShare ? 2 : 3;
}

function toldOf(rating: number): number {
  if (rating < 0) return 1;
  return rating > 1 ? 5 : 4.5;
}

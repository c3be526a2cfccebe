import type { LaunchForecast } from '../../common/contract/titles.ts';

/**
 * Popularity: bytes served ÷ size, exponentially smoothed over days (algorithms, fill planning step 1).
 *
 * A file's weight at time t is Σ bytesᵢ · 2^(−(t − tᵢ) / halfLife), for a slow half-life and for a fast one. It is kept at
 * one moment; the order in which servings are added does not matter (but for rounding), so late reports count as if they
 * had come in time.
 */
export interface Weight extends SmoothedBytes {
  /** Unix time in milliseconds. */
  readonly atMs: number;
}

/** Smoothed bytes at some moment. */
export interface SmoothedBytes {
  readonly bytes: number;
  /** The same by the fast half-life: what the last hours say. */
  readonly fastBytes: number;
}

/** Some bytes that were served at some time. */
export interface Serving {
  readonly bytes: number;
  readonly atMs: number;
}

/** After how long a serving counts half. */
export interface HalfLives {
  readonly halfLifeMs: number;
  readonly fastHalfLifeMs: number;
}

const hourMs = 3_600_000;

/** Days for what is popular, hours for what is becoming so. `./dev bench placement` hits more with one and a half days than with three. */
export const popularityHalfLives: HalfLives = { halfLifeMs: 36 * hourMs, fastHalfLifeMs: 6 * hourMs };

const nothing: SmoothedBytes = { bytes: 0, fastBytes: 0 };

/** The weight as it is at `nowMs`; before `atMs` it is what will have been. */
export function weightAt(
  weight: Weight | undefined,
  nowMs: number,
  { halfLifeMs, fastHalfLifeMs } = popularityHalfLives,
): SmoothedBytes {
  if (weight === undefined) return nothing;
  const ageMs = nowMs - weight.atMs;
  return {
    bytes: weight.bytes * 2 ** (-ageMs / halfLifeMs),
    fastBytes: weight.fastBytes * 2 ** (-ageMs / fastHalfLifeMs),
  };
}

/** The weight of both: of a file at two sites, or of two files. */
export function addWeights(
  one: Weight | undefined,
  other: Weight,
  halfLives: HalfLives = popularityHalfLives,
): Weight {
  if (one === undefined) return other;
  // Brought forward, never back: raising the older of the two to the past's value could overflow.
  const atMs = Math.max(one.atMs, other.atMs);
  const [a, b] = [weightAt(one, atMs, halfLives), weightAt(other, atMs, halfLives)];
  return { bytes: a.bytes + b.bytes, fastBytes: a.fastBytes + b.fastBytes, atMs };
}

/** The weight after one more serving. */
export function addServing(
  weight: Weight | undefined,
  { bytes, atMs }: Serving,
  halfLives: HalfLives = popularityHalfLives,
): Weight {
  return addWeights(weight, { bytes, fastBytes: bytes, atMs }, halfLives);
}

/** Popularity of a set of files (a bundle): their smoothed bytes ÷ their size. */
export function popularityOf(
  files: readonly { readonly weight: Weight | undefined; readonly sizeBytes: number }[],
  nowMs: number,
  halfLives: HalfLives = popularityHalfLives,
): number {
  let servedBytes = 0;
  let sizeBytes = 0;
  for (const file of files) {
    servedBytes += weightAt(file.weight, nowMs, halfLives).bytes;
    sizeBytes += file.sizeBytes;
  }
  return sizeBytes === 0 ? 0 : servedBytes / sizeBytes;
}

// So many plays within hours are half believed: one viewer is no trend.
const trendPlaysHalf = 4;

/**
 * Smoothed bytes with the day's trend. What the last hours say, at the level of the days (hours have a rhythm that all files
 * share, so it is the share of all that counts), raises a file to the mean of both; nothing falls by it: what loses its
 * viewers does so at the slow half-life, and does not come and go with the evening.
 *
 * @param all the same of all files together.
 */
export function trendingBytes(
  own: SmoothedBytes,
  { all, sizeBytes }: { all: SmoothedBytes; sizeBytes: number },
): number {
  if (sizeBytes === 0 || all.fastBytes === 0) return own.bytes;
  const level = all.bytes / all.fastBytes;
  const plays = own.fastBytes / sizeBytes;
  const trend = own.fastBytes * level * (plays / (plays + trendPlaysHalf));
  return Math.max(own.bytes, (own.bytes + trend) / 2);
}

// How much a site's own taste says beside everybody's.
const ownTasteShare = 0.5;

/**
 * A file's bytes as a site's viewers are expected to want them: half by what the site's boxes have served, half by the site's
 * share of what all have. What a site does not hold its viewers get elsewhere, so its own bytes alone would never bring it.
 */
export function regionalBytes(bytes: { own: number; everywhere: number; siteShare: number }): number {
  return ownTasteShare * bytes.own + (1 - ownTasteShare) * bytes.siteShare * bytes.everywhere;
}

/** A bundle's files, each with how many times the whole of it was played lately. */
export type PlayedFiles = readonly { readonly sizeBytes: number; readonly plays: number }[];

// What is played of bundles in general counts as much as so many plays of the bundle itself.
const usualPlays = 8;

/**
 * What sessions play: of how many of its sessions each file of a bundle is wanted whole. As of the bundle itself, drawn to what is played
 * of all bundles with as many files: of the largest, of the second, and so on, which are the renditions.
 */
export function createPlayShares(bundles: Iterable<PlayedFiles>): (bundle: PlayedFiles) => number[] {
  const sums = new Map<number, number[]>();
  for (const files of bundles) {
    const sum = sums.get(files.length) ?? files.map(() => 0);
    sums.set(files.length, sum);
    bySize(files).forEach((index, place) => (sum[place] = (sum[place] ?? 0) + (files[index]?.plays ?? 0)));
  }
  return (files) => {
    const usual = sums.get(files.length) ?? [];
    const usualSum = usual.reduce((total, plays) => total + plays, 0);
    const own = files.reduce((total, { plays }) => total + plays, usualPlays);
    const shares = files.map(() => 0);
    bySize(files).forEach((index, place) => {
      const share = usualSum === 0 ? 1 / files.length : (usual[place] ?? 0) / usualSum;
      shares[index] = ((files[index]?.plays ?? 0) + usualPlays * share) / own;
    });
    return shares;
  };
}

/** Indices of the files, the largest file's first. */
function bySize(files: PlayedFiles): number[] {
  return [...files.keys()].sort((a, b) => (files[b]?.sizeBytes ?? 0) - (files[a]?.sizeBytes ?? 0) || a - b);
}

const dayMs = 24 * hourMs;

/** How many times a day stand for so many smoothed ones, where they come as steadily as they did. */
export function timesPerDay(smoothed: number, { halfLifeMs }: HalfLives = popularityHalfLives): number {
  return (smoothed * Math.LN2 * dayMs) / halfLifeMs;
}

/**
 * Viewings that a forecast stands for: those that smoothing would know of had the title had so many viewers a day always. From
 * the launch on they fade like bytes that were served, while those that are served come in their stead.
 */
export function forecastViewings(
  { viewingsPerDay, launchAtMs }: LaunchForecast,
  nowMs: number,
  { halfLifeMs }: HalfLives = popularityHalfLives,
): number {
  const steady = (viewingsPerDay * halfLifeMs) / dayMs / Math.LN2;
  return steady * 2 ** (-Math.max(0, nowMs - launchAtMs) / halfLifeMs);
}

import { planLadder } from '../../../encoder/core/ladder.ts';
import { pick } from '../seeded.ts';
import type { Random } from './sampling.ts';

/** What a reactive cache keeps or drops: ten minutes of a rendition. */
export const sliceMinutes = 10;
/** Slices of the longest title. */
export const slicesMax = 12;

const frameRateHz = 25;
/** Renditions of every title, the best first, as the encoder's planner makes them of a 1080p source. */
const ladder = planLadder({ width: 1920, height: 1080 }, frameRateHz);
export const rungCount = ladder.length;

/** Share of series' episodes among the titles; the rest are films. */
const episodeShare = 0.7;

/**
 * Titles with all their renditions. A file is a rendition of a title: index `title * rungCount + rung`; a slice of it has the
 * index `file * slicesMax + position`.
 */
export interface Catalogue {
  readonly titleCount: number;
  readonly fileCount: number;
  /** By title: how many slices each of its files has. */
  readonly slices: Uint8Array;
  readonly fileBytes: Float64Array;
  readonly sliceBytes: Float64Array;
}

/** Makes titles: episodes of 20 to 60 minutes and films of 80 to 120. */
export function makeCatalogue(titleCount: number, random: Random): Catalogue {
  const fileCount = titleCount * rungCount;
  const slices = new Uint8Array(titleCount);
  const fileBytes = new Float64Array(fileCount);
  const sliceBytes = new Float64Array(fileCount * slicesMax);
  for (let title = 0; title < titleCount; title++) {
    const minutes = random() < episodeShare ? 20 + pick(random, 41) : 80 + pick(random, 41);
    slices[title] = Math.ceil(minutes / sliceMinutes);
    ladder.forEach(({ bitsPerSecondMax }, rung) => {
      const file = title * rungCount + rung;
      const bytesPerMinute = (bitsPerSecondMax * 60) / 8;
      fileBytes[file] = Math.round(minutes * bytesPerMinute);
      for (let position = 0; position * sliceMinutes < minutes; position++) {
        const from = Math.round(position * sliceMinutes * bytesPerMinute);
        const to = Math.round(Math.min(minutes, (position + 1) * sliceMinutes) * bytesPerMinute);
        sliceBytes[file * slicesMax + position] = to - from;
      }
    });
  }
  return { titleCount, fileCount, slices, fileBytes, sliceBytes };
}

import type { Bundle } from '../../common/contract/bundle.ts';

/** How many lines high a picture is; across where it is upright. */
export function linesOf({ width, height }: Bundle['video'][number]): number {
  return Math.min(width, height);
}

/**
 * A bundle with those renditions only that are at most `heightMax` lines high, upright ones across; its smallest where all are higher, so
 * that there is always a picture. All of them where nothing limits it.
 */
export function limitHeight(bundle: Bundle, heightMax: number | undefined): Bundle {
  if (heightMax === undefined) return bundle;
  const least = Math.min(...bundle.video.map(linesOf));
  return {
    ...bundle,
    video: bundle.video.filter((video) => linesOf(video) <= Math.max(heightMax, least)),
  };
}

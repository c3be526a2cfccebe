import type { Bundle, VideoRange, VideoRendition } from '../../common/contract/bundle.ts';

/** A picture's range; bundles of before have SDR alone and do not say so. */
export function rangeOf({ videoRange = 'sdr' }: VideoRendition): VideoRange {
  return videoRange;
}

/** Whether there is more than SDR, so that a manifest has to tell which is which. */
export function hasHdr({ video }: Bundle): boolean {
  return video.some((one) => rangeOf(one) !== 'sdr');
}

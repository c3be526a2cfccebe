import { rcodes } from './wire.ts';

/** Places of the counters behind those of the codes. */
export const countAt = {
  ignored: rcodes.badVers + 1,
  truncated: rcodes.badVers + 2,
  slipped: rcodes.badVers + 3,
  dropped: rcodes.badVers + 4,
} as const;

/**
 * Counters of replies: by code at the code's place, then as `countAt` says. In memory that threads share: one writes, others
 * read what may be a moment old.
 */
export type ReplyCounts = Float64Array<SharedArrayBuffer>;

export function createReplyCounts(): ReplyCounts {
  return new Float64Array(new SharedArrayBuffer((countAt.dropped + 1) * Float64Array.BYTES_PER_ELEMENT));
}

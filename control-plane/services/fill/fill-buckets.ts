import type { FillKind, FillReportView } from '../../../common/contract/fill.ts';

type Bucket = FillReportView['buckets'][number];

/** Bytes of one transfer by the kind of their source, and when it ran. */
export interface Transfer {
  readonly startMs: number;
  readonly endMs: number;
  readonly byKind: Readonly<Record<FillKind, number>>;
}

/** Bytes by source over time, in buckets of one length, for a plot. */
export interface FillBuckets {
  add(transfer: Transfer): void;
  view(): { bucketMs: number; buckets: Bucket[] };
}

const bucketsMax = 120;
const bucketMsMin = 1000;
const kinds = ['peer', 'tier', 'origin'] as const;

/**
 * Begins with no buckets. Their length doubles whenever the span of the transfers would need more than 120 of them: memory is
 * bounded however many transfers there are. A transfer is taken to have run evenly.
 */
export function createFillBuckets(): FillBuckets {
  let bucketMs = bucketMsMin;
  let buckets = new Map<number, Record<FillKind, number>>();
  let firstMs = Infinity;
  let lastMs = -Infinity;

  const indexOf = (ms: number): number => Math.floor(ms / bucketMs);
  const put = (index: number, kind: FillKind, bytes: number): void => {
    const bucket = buckets.get(index) ?? { peer: 0, tier: 0, origin: 0 };
    bucket[kind] += bytes;
    buckets.set(index, bucket);
  };
  const widen = (): void => {
    const before = buckets;
    buckets = new Map();
    bucketMs *= 2;
    for (const [index, bucket] of before) {
      for (const kind of kinds) put(Math.floor(index / 2), kind, bucket[kind]);
    }
  };

  return {
    add({ startMs, endMs, byKind }) {
      firstMs = Math.min(firstMs, startMs);
      lastMs = Math.max(lastMs, startMs, endMs);
      while (indexOf(lastMs) - indexOf(firstMs) >= bucketsMax) widen();
      const first = indexOf(startMs);
      const last = indexOf(Math.max(startMs, endMs));
      for (const kind of kinds) {
        const share = Math.floor(byKind[kind] / (last - first + 1));
        for (let index = first; index < last; index++) put(index, kind, share);
        // What rounding leaves.
        put(last, kind, byKind[kind] - share * (last - first));
      }
    },
    view() {
      if (buckets.size === 0) return { bucketMs, buckets: [] };
      const first = indexOf(firstMs);
      const length = indexOf(lastMs) - first + 1;
      return {
        bucketMs,
        buckets: Array.from({ length }, (_, at) => ({
          atMs: (first + at) * bucketMs,
          ...(buckets.get(first + at) ?? { peer: 0, tier: 0, origin: 0 }),
        })),
      };
    },
  };
}

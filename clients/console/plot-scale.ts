import type { FillKind, FillReportView } from '../../common/contract/fill.ts';
import { formatBytes, formatClock } from '../shared/format.ts';

type Bucket = FillReportView['buckets'][number];

// So that a fill of two seconds is not drawn as two walls.
const bucketsShownMin = 12;
const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const minuteS = 60;
const hourS = 3600;
const dayS = 86_400;

/** Steps of the time axis, in seconds: a fill is reported in buckets of whole seconds. */
export const timeStepsS = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((step) => step * minuteS),
  ...[1, 2, 3, 6, 12].map((step) => step * hourS),
  ...[1, 2, 7].map((step) => step * dayS),
];

/** Steps of the axis of bytes: powers of two, since that is what the units are made of. */
export const byteSteps = Array.from({ length: 52 }, (_, power) => 2 ** power);

/** Labels of the time axis: seconds only where steps are finer than a minute, the day where it begins. */
export function timeLabels(timesS: readonly number[], stepS: number): string[] {
  let day = '';
  return timesS.map((timeS) => {
    const clock = formatClock(timeS * 1000);
    const at = new Date(timeS * 1000);
    const dayNow = `${at.getDate()} ${monthNames[at.getMonth()] ?? ''}`;
    const isNew = dayNow !== day;
    day = dayNow;
    const label = stepS < minuteS ? clock : clock.slice(0, 5);
    return isNew ? `${label}\n${dayNow}` : label;
  });
}

/** Labels of the axis of bytes. */
export function byteLabels(values: readonly number[]): string[] {
  return values.map((bytes) => formatBytes(bytes).replace('.0 ', ' '));
}

/** The times that the plot shows: from the first bucket to the end of the last, some more where they are few. */
export function timeRangeS(buckets: readonly Bucket[], bucketMs: number): [fromS: number, toS: number] {
  const fromMs = buckets[0]?.atMs ?? 0;
  const toMs = (buckets.at(-1)?.atMs ?? 0) + bucketMs;
  return [fromMs / 1000, Math.max(toMs, fromMs + bucketsShownMin * bucketMs) / 1000];
}

/** Times and, per kind, what it and the kinds before it brought: drawn over one another, the last first, they stand stacked. */
export function stackBuckets(
  buckets: readonly Bucket[],
  kinds: readonly FillKind[],
): { timesS: number[]; sums: number[][] } {
  const soFar = buckets.map(() => 0);
  const sums = kinds.map((kind) =>
    buckets.map((bucket, index) => (soFar[index] = (soFar[index] ?? 0) + bucket[kind])),
  );
  return { timesS: buckets.map(({ atMs }) => atMs / 1000), sums };
}

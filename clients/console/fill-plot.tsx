import { useCallback, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';

import type { FillKind, FillReportView } from '../../common/contract/fill.ts';
import { formatBytes, formatClock, formatDuration, formatShare, formatTime } from '../shared/format.ts';
import { axis, PlotBox, plotHeightPx } from './plot-box.tsx';
import { byteLabels, byteSteps, stackBuckets, timeLabels, timeRangeS, timeStepsS } from './plot-scale.ts';

type Buckets = FillReportView['buckets'];

// Colours that remain three to those who do not tell red from green (Okabe and Ito), from the bottom up.
const kinds: readonly { kind: FillKind; label: string; colour: string }[] = [
  { kind: 'origin', label: 'origin', colour: '#de6a34' },
  { kind: 'tier', label: 'neighbouring sites', colour: '#f0c042' },
  { kind: 'peer', label: 'peers', colour: '#56b4e9' },
];
const barWidthPxMax = 90;

interface PlotProps {
  readonly buckets: Buckets;
  readonly bucketMs: number;
}

/** Bytes by source over time, with its legend; stays the same plot while the report grows. */
export function FillPlot({ buckets, bucketMs }: PlotProps) {
  const [pointed, setPointed] = useState<number>();
  const [first] = buckets;
  const last = buckets.at(-1);
  if (first === undefined || last === undefined)
    return <p className="dim plot">Nothing was filled lately.</p>;
  const bucket = pointed === undefined ? undefined : buckets[pointed];
  const shown = bucket === undefined ? buckets : [bucket];
  const when =
    bucket === undefined
      ? `${formatTime(first.atMs)}, ${formatDuration(last.atMs + bucketMs - first.atMs)}; a bar is ${formatDuration(bucketMs)}`
      : `${formatClock(bucket.atMs)}, ${formatDuration(bucketMs)}`;
  return (
    <figure className="plot">
      <Legend buckets={shown} when={when} />
      <Plot buckets={buckets} bucketMs={bucketMs} onPoint={setPointed} />
    </figure>
  );
}

/** Says what the colours are, and how much came from each: of all, or of the bar that is pointed at. */
function Legend({ buckets, when }: { buckets: Buckets; when: string }) {
  const sumOf = (kind: FillKind) => buckets.reduce((sum, bucket) => sum + bucket[kind], 0);
  const total = kinds.reduce((sum, { kind }) => sum + sumOf(kind), 0);
  return (
    <figcaption>
      {kinds.toReversed().map(({ kind, label, colour }) => (
        <span key={kind}>
          <i style={{ background: colour }} /> {label} <b>{formatBytes(sumOf(kind))}</b>{' '}
          <span className="dim">{formatShare(sumOf(kind), total)}</span>
        </span>
      ))}
      <span className="dim when">{when}</span>
    </figcaption>
  );
}

function Plot({ buckets, bucketMs, onPoint }: PlotProps & { onPoint: (index: number | undefined) => void }) {
  const latest = useRef({ buckets, bucketMs });
  latest.current = { buckets, bucketMs };
  const make = useCallback((widthPx: number) => optionsOf(widthPx, () => latest.current, onPoint), [onPoint]);
  const data = useMemo((): uPlot.AlignedData => {
    const { timesS, sums } = stackBuckets(
      buckets,
      kinds.map(({ kind }) => kind),
    );
    return [timesS, ...sums.toReversed()];
  }, [buckets]);
  return <PlotBox label="Bytes by source over time; the sums are above." make={make} data={data} />;
}

function optionsOf(
  widthPx: number,
  latest: () => PlotProps,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  // A bar begins with its bucket, not in its middle.
  const paths = uPlot.paths.bars?.({ size: [0.92, barWidthPxMax], align: 1 });
  return {
    width: widthPx,
    height: plotHeightPx,
    legend: { show: false },
    cursor: {
      drag: { x: false, y: false },
      points: { show: false },
      y: false,
      dataIdx: (...[plot, , closest, x]) =>
        Math.max(0, (plot.data[0][closest] ?? 0) > x ? closest - 1 : closest),
    },
    hooks: {
      setCursor: [
        ({ cursor }) => {
          // `idx` is the nearest start of a bar, `idxs` what dataIdx made of it.
          onPoint(cursor.idxs?.[1] ?? undefined);
        },
      ],
    },
    scales: {
      x: { time: true, range: () => timeRangeS(latest().buckets, latest().bucketMs) },
      y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.08)] },
    },
    axes: [
      {
        ...axis,
        incrs: timeStepsS,
        space: 80,
        size: 44,
        values: (...[, times, , , stepS]) => timeLabels(times, stepS),
      },
      { ...axis, incrs: byteSteps, size: 76, values: (_plot, values) => byteLabels(values) },
    ],
    series: [
      {},
      ...kinds.toReversed().map(({ label, colour }): uPlot.Series => ({
        label,
        fill: colour,
        width: 0,
        points: { show: false },
        ...(paths !== undefined && { paths }),
      })),
    ],
  };
}

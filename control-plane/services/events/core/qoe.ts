import type { EventData } from '../../../../common/contract/event-log.ts';
import type { QoeDimension, QoeRow } from '../../../../common/contract/qoe.ts';

/** What is added up of playbacks: sums alone, so that neither the order of events nor how they are parted matters. */
export interface QoeSums {
  readonly plays: number;
  readonly failures: number;
  readonly playedMs: number;
  readonly stalls: number;
  readonly stallMs: number;
  /** Start times: how many are in each of the steps of `startBoundMs`. */
  readonly starts: readonly number[];
  /** Bits that were played, and the time in which: of events that tell their bitrate. */
  readonly playedBits: number;
  readonly bitrateMs: number;
}

/** Steps of start times: each a half of an octave, from 100 ms to some 6 min; the last has no end. */
export const startSteps = 25;

/** Sums of nothing. */
export const noQoe: QoeSums = {
  ...{ plays: 0, failures: 0, playedMs: 0, stalls: 0, stallMs: 0, playedBits: 0, bitrateMs: 0 },
  starts: Array.from({ length: startSteps }, () => 0),
};

const telling: ReadonlySet<string> = new Set(['play', 'stall', 'error']);

/** What one event adds; undefined where it says nothing of how playing goes. */
export function qoeOf(event: EventData<'player'>): QoeSums | undefined {
  const { type, playedMs = 0, stallMs = 0, bitrateBps, startMs } = event;
  if (!telling.has(type) && playedMs === 0) return undefined;
  const isPlay = type === 'play';
  const step = isPlay && startMs !== undefined ? startStepOf(startMs) : -1;
  return {
    plays: isPlay ? 1 : 0,
    failures: type === 'error' ? 1 : 0,
    playedMs,
    stalls: type === 'stall' ? 1 : 0,
    stallMs: type === 'stall' ? stallMs : 0,
    starts: step === -1 ? noQoe.starts : noQoe.starts.map((_, at) => (at === step ? 1 : 0)),
    playedBits: bitrateBps === undefined ? 0 : (bitrateBps * playedMs) / 1000,
    bitrateMs: bitrateBps === undefined ? 0 : playedMs,
  };
}

/** Under which names an event counts: a site or a box only where they are known. */
export function qoePlaces(
  event: EventData<'player'>,
  { isNode }: { isNode: (id: string) => boolean },
): [QoeDimension, string][] {
  const { site, pathway, device = 'other', bundle } = event;
  return [
    ['device', device],
    ...(site === undefined ? [] : [['site', site] satisfies [QoeDimension, string]]),
    ...(pathway === undefined || !isNode(pathway)
      ? []
      : [['appliance', pathway] satisfies [QoeDimension, string]]),
    ...(bundle === undefined ? [] : [['title', bundle] satisfies [QoeDimension, string]]),
  ];
}

/** Both together. */
export function addQoe(a: QoeSums, b: QoeSums): QoeSums {
  return {
    plays: a.plays + b.plays,
    failures: a.failures + b.failures,
    playedMs: a.playedMs + b.playedMs,
    stalls: a.stalls + b.stalls,
    stallMs: a.stallMs + b.stallMs,
    // Most events tell of no start.
    starts: b.starts === noQoe.starts ? a.starts : a.starts.map((count, at) => count + (b.starts[at] ?? 0)),
    playedBits: a.playedBits + b.playedBits,
    bitrateMs: a.bitrateMs + b.bitrateMs,
  };
}

/** Sums as a row of the report. */
export function qoeRow(name: string, sums: QoeSums): QoeRow {
  const { plays, failures, playedMs, stalls, stallMs, playedBits, bitrateMs } = sums;
  const [p50, p95] = [startQuantileMs(sums.starts, 0.5), startQuantileMs(sums.starts, 0.95)];
  return {
    ...{ name, plays, failures, playedMs, stalls, stallMs },
    ...(playedMs > 0 && { rebufferRatio: stallMs / (stallMs + playedMs) }),
    ...(p50 !== undefined && { startMsP50: p50 }),
    ...(p95 !== undefined && { startMsP95: p95 }),
    ...(bitrateMs > 0 && { bitrateBps: (playedBits * 1000) / bitrateMs }),
  };
}

function startStepOf(startMs: number): number {
  const step = Math.ceil(2 * Math.log2(Math.max(1, startMs) / 100));
  return Math.min(startSteps - 1, Math.max(0, step));
}

/** The upper bound of the step that holds the quantile, ms. */
function startQuantileMs(starts: readonly number[], quantile: number): number | undefined {
  const all = starts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  let below = 0;
  const step = starts.findIndex((count) => (below += count) >= quantile * all);
  return Math.round(100 * 2 ** (step / 2));
}

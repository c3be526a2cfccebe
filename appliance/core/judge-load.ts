/** What is refused, from nothing to all: each level refuses what the one before does, and more. */
export const loadLevels = ['normal', 'shed-fill', 'shed-new', 'shed-all'] as const;
export type LoadLevel = (typeof loadLevels)[number];

/** What load is judged by. How long a transfer takes is not in it: that measures the viewer's line, not us. */
export interface LoadSample {
  /** How long the oldest viewer's read waits for its disk, or the longest waited in the interval. */
  readonly diskDelayMs: number;
  /** From a complete request to the first byte given to the kernel: of 95 in 100 requests; 0 where too few came. */
  readonly ttfbMs: number;
  /** The longest that the event loop was late in the interval. */
  readonly loopDelayMs: number;
  /** Bytes that leave, as a share of the line's; 0 where the line is not known. */
  readonly lineShare: number;
  /** Connections and requests, as shares of their caps. */
  readonly connectionsShare: number;
  readonly requestsShare: number;
}
type Signal = keyof LoadSample;

/** What follows from it. */
export interface LoadJudgement {
  readonly level: LoadLevel;
  /** Share of the capacity that is free, 0 to 1: falls at once, rises slowly. 0 from `shed-new` on. */
  readonly headroom: number;
  /** Why the level is not normal: `BUSY_…`, and `OVERLOADED_…` once known sessions are refused too. */
  readonly reasons: readonly string[];
}

/** A judgement with what it takes to judge the next sample. Begin with `calmLoad`. */
export interface LoadState extends LoadJudgement {
  /** Samples in a row above the level, and the lowest level that all of them ask for. */
  readonly hotSamples: number;
  readonly hotLevel: number;
  /** Samples in a row that ask for less than the level. */
  readonly calmSamples: number;
}

export const calmLoad: LoadState = {
  level: 'normal',
  headroom: 1,
  reasons: [],
  hotSamples: 0,
  hotLevel: 0,
  calmSamples: 0,
};

/** From where on a signal asks for each of the levels after `normal`; Infinity: never. */
interface Limits {
  readonly name: string;
  readonly from: readonly [fill: number, fresh: number, all: number];
}

/**
 * Players give up a box that shows no byte for 1500 ms (ours) to 2500 ms (dash.js), and have 6 s of buffer: half a second
 * of our own is what may be spent without anybody noticing, and a second is where waiting no longer helps them.
 */
const limits: Readonly<Record<Signal, Limits>> = {
  // Never all: what is in memory, or on another disk, is served as well as ever.
  diskDelayMs: { name: 'DISK', from: [250, 500, Infinity] },
  ttfbMs: { name: 'LATENCY', from: [250, 500, 1000] },
  // A request meets the loop some times, and all connections do: half of what one read may take.
  loopDelayMs: { name: 'CPU', from: [125, 250, 500] },
  // Interfaces count frames without their gaps: 98.4 % is a full line. Below it queues are short; at it TCP shares what
  // there is and players choose a lower rendition, which is better than refusing them.
  lineShare: { name: 'LINE', from: [0.85, 0.95, Infinity] },
  // The caps themselves refuse whoever comes beyond; known sessions are to have the last twentieth.
  connectionsShare: { name: 'CONNECTIONS', from: [0.85, 0.95, Infinity] },
  requestsShare: { name: 'REQUESTS', from: [0.85, 0.95, Infinity] },
};
const signals = Object.keys(limits) as Signal[];
const freshLevel = loadLevels.indexOf('shed-new');

/** Samples in a row before load is shed: one is a garbage collection or a disk that slept. */
const hotSamplesMin = 2;
/** Samples in a row before one level less is tried: 5 s at four a second, longer than a player takes to come back. */
const calmSamplesMin = 20;
/** A level is left only below this share of where it was entered: refusing makes load fall, and must not end itself. */
const leaveShare = 0.75;
/** Headroom regained with a sample: all of it in 25 s, so that steering does not send everyone back at once. */
const headroomStep = 0.01;

/**
 * Judges one sample after another; pure. Fill peers are refused first: they have other sources and no viewer waits. Then
 * new sessions, which steering can still place elsewhere; sessions that play are kept until the last level. Levels rise by
 * as much as is asked for and fall one by one.
 */
export function judgeLoad(before: LoadState, sample: LoadSample): LoadState {
  const at = loadLevels.indexOf(before.level);
  const wanted = levelOf(sample, 1);
  const hotSamples = wanted > at ? before.hotSamples + 1 : 0;
  const hotLevel = before.hotSamples > 0 ? Math.min(before.hotLevel, wanted) : wanted;
  const calmSamples = levelOf(sample, leaveShare) < at ? before.calmSamples + 1 : 0;
  if (hotSamples >= hotSamplesMin) return state(before, sample, { at: hotLevel });
  if (calmSamples >= calmSamplesMin) return state(before, sample, { at: at - 1 });
  return state(before, sample, { at, hotSamples, hotLevel, calmSamples });
}

function state(
  before: LoadState,
  sample: LoadSample,
  next: { at: number; hotSamples?: number; hotLevel?: number; calmSamples?: number },
): LoadState {
  const { at, hotSamples = 0, hotLevel = 0, calmSamples = 0 } = next;
  const level = loadLevels[at] ?? 'normal';
  const free =
    at >= freshLevel ? 0 : Math.max(0, 1 - Math.max(...signals.map((signal) => pressure(sample, signal))));
  return {
    level,
    headroom: Math.min(free, before.headroom + headroomStep),
    reasons: reasonsOf(at, sample, before.reasons),
    hotSamples,
    hotLevel,
    calmSamples,
  };
}

/** The highest level that any signal asks for, with all limits scaled. */
function levelOf(sample: LoadSample, scale: number): number {
  let level = 0;
  for (const signal of signals) {
    const { from } = limits[signal];
    while (level < from.length && sample[signal] >= (from[level] ?? Infinity) * scale) level++;
  }
  return level;
}

/** How much of what it may take a signal takes: 1 is where new sessions are refused. */
function pressure(sample: LoadSample, signal: Signal): number {
  return sample[signal] / limits[signal].from[1];
}

function reasonsOf(at: number, sample: LoadSample, before: readonly string[]): readonly string[] {
  if (at === 0) return [];
  const prefix = loadLevels[at] === 'shed-all' ? 'OVERLOADED' : 'BUSY';
  const names = signals
    .filter((signal) => sample[signal] >= (limits[signal].from[at - 1] ?? Infinity) * leaveShare)
    .map((signal) => limits[signal].name);
  // While it calms down, what it was about stays the reason.
  const kept = before.map((reason) => reason.slice(reason.indexOf('_') + 1));
  return (names.length > 0 ? names : kept).map((name) => `${prefix}_${name}`);
}

/** Whom an engine answers. */
export type Admission = 'all' | 'known-sessions' | 'nobody';

/** Brings a drain and the load together: the drain wins, and says so. Who fills is refused first in both. */
export function admitUnder(
  drain: Admission,
  level: LoadLevel,
): { admission: Admission; why: 'draining' | 'overloaded'; shedFill: boolean } {
  const shedFill = level !== 'normal';
  const byLoad: Admission = level === 'shed-all' ? 'nobody' : level === 'shed-new' ? 'known-sessions' : 'all';
  if (drain === 'nobody' || (drain === 'known-sessions' && byLoad !== 'nobody'))
    return { admission: drain, why: 'draining', shedFill };
  return { admission: byLoad, why: 'overloaded', shedFill };
}

/** What steering's own probes say of a node. */
export type Verdict = 'unknown' | 'up' | 'draining' | 'down';

export type Family = 4 | 6;
export const families: readonly Family[] = [4, 6];

/** What one steering node has seen of one box over one address family. */
export interface ProbeState {
  readonly verdict: Verdict;
  /** The verdict before this one. */
  readonly previous: Verdict;
  /** Observations in a row that contradict the verdict. */
  readonly against: number;
  /** Why it has this verdict, in words. */
  readonly reason: string;
  /** Since when, monotonic: what went down together is told by it, and clocks on walls jump. */
  readonly sinceMs: number;
  /** Wall time of the last probe. */
  readonly lastProbeMs: number | undefined;
  /** How long the last good probe took. */
  readonly probeMs: number | undefined;
}

/** The part of it that decides, or says why: another probe that says the same changes none of it. */
export type SeenState = Pick<ProbeState, 'verdict' | 'previous' | 'reason' | 'sinceMs'>;

/** When a box was probed last, and how long the last good probe took. */
export type LastProbe = Pick<ProbeState, 'lastProbeMs' | 'probeMs'>;

/** What is to be believed of a box, by all that is known of it. Ranking needs no more. */
export interface NodeHealth extends Pick<ProbeState, 'verdict' | 'reason'> {
  /** Wall time, for people. */
  readonly sinceMs: number;
  /** Families in which it is down while it is up in another; ranking gives it no viewer of those. */
  readonly downFamilies?: readonly Family[];
  /** What it said last of itself, fresher than the map; absent where it has no live stream. */
  readonly said?: { readonly headroom: number; readonly unwell: string | undefined };
}

/** One probe's outcome. */
export type Observation =
  | { readonly kind: 'ok'; readonly draining: boolean; readonly probeMs: number }
  | { readonly kind: 'failed'; readonly reason: string }
  /** This node has no way in the family, so it can say nothing of anybody. */
  | { readonly kind: 'blind'; readonly reason: string };

/** How many observations in a row turn a verdict: different for up and down, so that it does not flap. */
export interface HealthPolicy {
  readonly downAfter: number;
  readonly upAfter: number;
}

/** What is known of a node before its first probe, monotonic time. */
export function unprobed(monotonicMs: number): ProbeState {
  return {
    verdict: 'unknown',
    previous: 'unknown',
    against: 0,
    reason: 'not probed yet',
    sinceMs: monotonicMs,
    lastProbeMs: undefined,
    probeMs: undefined,
  };
}

/**
 * The state after an observation. A node that nothing is known of is up after one good probe; a node that says that it
 * drains is believed at once.
 */
export function observe(
  state: ProbeState,
  observation: Observation,
  { nowMs, monotonicMs: sinceMs, policy }: { nowMs: number; monotonicMs: number; policy: HealthPolicy },
): ProbeState {
  const probed = { ...state, lastProbeMs: nowMs };
  if (observation.kind === 'blind') {
    if (state.verdict === 'unknown') return { ...probed, against: 0, reason: observation.reason };
    return { ...probed, ...turned(state, 'unknown'), reason: observation.reason, sinceMs };
  }
  if (observation.kind === 'failed') {
    if (state.verdict === 'down') return { ...probed, against: 0, reason: observation.reason };
    const against = state.against + 1;
    if (against < policy.downAfter) return { ...probed, against };
    return { ...probed, ...turned(state, 'down'), reason: observation.reason, sinceMs };
  }
  const seen = { ...probed, probeMs: observation.probeMs };
  const verdict = observation.draining ? 'draining' : 'up';
  if (state.verdict === verdict) return { ...seen, against: 0 };
  const against = state.against + 1;
  if (state.verdict === 'down' && against < policy.upAfter) return { ...seen, against };
  const reason = observation.draining ? 'it says that it drains' : `it answered ${against} probe(s)`;
  return { ...seen, ...turned(state, verdict), reason, sinceMs };
}

/**
 * The state after a doubt: the box's stream has ended or is silent. One failed probe decides then. A doubt alone turns
 * nothing: what viewers meet is the box, not its stream.
 */
export function doubt(state: ProbeState, { downAfter }: HealthPolicy): ProbeState {
  if (state.verdict === 'down') return state;
  return { ...state, against: Math.max(state.against, downAfter - 1) };
}

/** Whether two states decide alike, and for the same reason. */
export function isSeenAlike(a: SeenState, b: SeenState): boolean {
  return (
    a.verdict === b.verdict && a.previous === b.previous && a.reason === b.reason && a.sinceMs === b.sinceMs
  );
}

function turned(state: ProbeState, verdict: Verdict) {
  return { verdict, previous: state.verdict, against: 0 };
}

/**
 * The all-dead rule (algorithms: "if every box looks dead, keep the last good state"): boxes do not all die within one
 * moment, the prober's own network does. Where every node is down, those that went down within `windowMs` of the last
 * to go are shown as they were before.
 */
export function holdLastGood<K>(
  states: ReadonlyMap<K, SeenState>,
  windowMs: number,
): { readonly states: ReadonlyMap<K, SeenState>; readonly holding: boolean } {
  const all = [...states.values()];
  if (all.length === 0 || all.some((state) => state.verdict !== 'down')) return { states, holding: false };
  return { states: restore(states, windowMs, 'every box looks dead from here'), holding: true };
}

/** The states in which those that went down within `windowMs` of the last to go are shown as they were before. */
export function restore<K>(
  states: ReadonlyMap<K, SeenState>,
  windowMs: number,
  why: string,
): ReadonlyMap<K, SeenState> {
  const downs = [...states.values()].filter(({ verdict }) => verdict === 'down');
  const lastMs = downs.reduce((last, { sinceMs }) => Math.max(last, sinceMs), -Infinity);
  return new Map(
    [...states].map(([key, state]): [K, SeenState] => {
      if (state.verdict !== 'down' || state.sinceMs < lastMs - windowMs) return [key, state];
      const reason = `${why}: the last good state is kept (${state.reason})`;
      return [key, { ...state, verdict: state.previous, reason }];
    }),
  );
}

import type { FillKind } from '../../common/contract/fill.ts';

/** One way to fetch a file, as the control plane gives it. */
export interface FillWay {
  readonly kind: FillKind;
  readonly node: string;
  /** Ends in `/v1/<fill token>/`. */
  readonly base: string;
  /** May be used this long after the file was first wanted. */
  readonly waitMs: number;
}

/** What the filler knows of a source. */
export interface SourceState {
  /** Not to be asked before this moment (monotonic). */
  readonly restUntilMs: number;
  readonly inFlight: number;
}

/** The way to use now, or how long until one may open. */
export type WayChoice =
  | { readonly kind: 'way'; readonly way: FillWay }
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'none' };

const rankOf: Readonly<Record<FillKind, number>> = { peer: 0, tier: 1, origin: 2 };

/**
 * Escalation peer → tier → origin: the nearest kind whose wait is over and whose source does not rest; among equals
 * the least busy, then the order given. `none` when there is no way that time alone would open.
 */
export function chooseWay(input: {
  ways: readonly FillWay[];
  wantedSinceMs: number;
  nowMs: number;
  /** Ways of this file that failed for good (a source that does not hold it). */
  spent: ReadonlySet<string>;
  stateOf: (node: string) => SourceState;
}): WayChoice {
  let best: { way: FillWay; state: SourceState } | undefined;
  let opensAtMs = Infinity;
  for (const way of input.ways) {
    if (input.spent.has(way.node)) continue;
    const state = input.stateOf(way.node);
    const openAtMs = Math.max(input.wantedSinceMs + way.waitMs, state.restUntilMs);
    if (openAtMs > input.nowMs) opensAtMs = Math.min(opensAtMs, openAtMs);
    else if (best === undefined || isBetter({ way, state }, best)) best = { way, state };
  }
  if (best !== undefined) return { kind: 'way', way: best.way };
  return opensAtMs === Infinity ? { kind: 'none' } : { kind: 'wait', waitMs: opensAtMs - input.nowMs };
}

function isBetter(a: { way: FillWay; state: SourceState }, b: { way: FillWay; state: SourceState }): boolean {
  const byKind = rankOf[a.way.kind] - rankOf[b.way.kind];
  return byKind !== 0 ? byKind < 0 : a.state.inFlight < b.state.inFlight;
}

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
  /** Asked after all others until this moment (monotonic): it kept a file waiting. */
  readonly demotedUntilMs: number;
  readonly inFlight: number;
  /** What one of its transfers has brought lately; undefined while nothing is known. */
  readonly bytesPerSecond: number | undefined;
}

/** The way to use now, or how long until one may open. */
export type WayChoice =
  | { readonly kind: 'way'; readonly way: FillWay }
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'none' };

interface Open {
  readonly way: FillWay;
  readonly state: SourceState;
}

const rankOf: Readonly<Record<FillKind, number>> = { peer: 0, tier: 1, origin: 2 };
/** However slow a source is, one of three transfers is its: what it brings is more than nothing, and the rest can be taken over. */
const weightMin = 0.5;

/**
 * Escalation peer → tier → origin: the nearest kind whose wait is over and whose source does not rest; a demoted source
 * comes after all others. Among equals the least busy for its speed, then the order given. `none` when there is no way that
 * time alone would open.
 */
export function chooseWay(input: {
  ways: readonly FillWay[];
  wantedSinceMs: number;
  nowMs: number;
  /** Ways of this file that failed for good (a source that does not hold it). */
  spent: ReadonlySet<string>;
  stateOf: (node: string) => SourceState;
}): WayChoice {
  const open: Open[] = [];
  let opensAtMs = Infinity;
  for (const way of input.ways) {
    if (input.spent.has(way.node)) continue;
    const state = input.stateOf(way.node);
    const openAtMs = Math.max(input.wantedSinceMs + way.waitMs, state.restUntilMs);
    if (openAtMs > input.nowMs) opensAtMs = Math.min(opensAtMs, openAtMs);
    else open.push({ way, state });
  }
  const best = bestOf(open, input.nowMs);
  if (best !== undefined) return { kind: 'way', way: best };
  return opensAtMs === Infinity ? { kind: 'none' } : { kind: 'wait', waitMs: opensAtMs - input.nowMs };
}

function bestOf(open: readonly Open[], nowMs: number): FillWay | undefined {
  const fastest = Math.max(0, ...open.map(({ state }) => state.bytesPerSecond ?? 0));
  let best: { way: FillWay; key: readonly number[] } | undefined;
  for (const { way, state } of open) {
    const share = fastest === 0 ? 1 : (state.bytesPerSecond ?? fastest) / fastest;
    const key = [
      state.demotedUntilMs > nowMs ? 1 : 0,
      rankOf[way.kind],
      (state.inFlight + 1) / Math.max(weightMin, share),
    ];
    if (best === undefined || isLess(key, best.key)) best = { way, key };
  }
  return best?.way;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}

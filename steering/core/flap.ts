/**
 * Flap damping after RFC 2439 §4.2: each loss adds to a penalty that halves in `halfLifeMs`. From `suppressAt` on a box is
 * held down whatever its probes say, until the penalty has fallen below `reuseAt`.
 */
export interface FlapPolicy {
  readonly halfLifeMs: number;
  /** What one loss adds. */
  readonly perLoss: number;
  readonly suppressAt: number;
  readonly reuseAt: number;
  /** However often it was lost, it is tried again after so long: the penalty has a ceiling (RFC 2439 §4.2). */
  readonly suppressMsMax: number;
}

/** Three losses within forty seconds suppress; two minutes of quiet bring it back, five minutes do whatever happens. */
export const flapPolicyDefault: FlapPolicy = {
  halfLifeMs: 60_000,
  perLoss: 1000,
  suppressAt: 2400,
  reuseAt: 750,
  suppressMsMax: 300_000,
};

export interface FlapState {
  /** As of `atMs`. */
  readonly penalty: number;
  readonly atMs: number;
  readonly suppressed: boolean;
}

export const calm: FlapState = { penalty: 0, atMs: 0, suppressed: false };

/** The state after a loss at `nowMs`, monotonic. */
export function noteLoss(state: FlapState, nowMs: number, policy: FlapPolicy): FlapState {
  const penalty = Math.min(penaltyMax(policy), penaltyAt(state, nowMs, policy) + policy.perLoss);
  return { penalty, atMs: nowMs, suppressed: state.suppressed || penalty >= policy.suppressAt };
}

/** The state at `nowMs` with nothing new: what was suppressed long enough is let go. */
export function settle(state: FlapState, nowMs: number, policy: FlapPolicy): FlapState {
  const penalty = penaltyAt(state, nowMs, policy);
  return state.suppressed && penalty < policy.reuseAt ? { penalty, atMs: nowMs, suppressed: false } : state;
}

/** In how many milliseconds it is let go, if nothing new comes; 0 where it is not suppressed. */
export function reuseInMs(state: FlapState, nowMs: number, policy: FlapPolicy): number {
  if (!state.suppressed) return 0;
  const halves = Math.log2(penaltyAt(state, nowMs, policy) / policy.reuseAt);
  return Math.max(1, Math.ceil(halves * policy.halfLifeMs) + 1);
}

/** The most that it ever is (RFC 2439 §4.2). */
export function penaltyMax({ reuseAt, suppressMsMax, halfLifeMs }: FlapPolicy): number {
  return reuseAt * 2 ** (suppressMsMax / halfLifeMs);
}

/** What is left of the penalty at `nowMs`, monotonic. */
export function penaltyAt({ penalty, atMs }: FlapState, nowMs: number, { halfLifeMs }: FlapPolicy): number {
  return penalty * 2 ** (-Math.max(0, nowMs - atMs) / halfLifeMs);
}

import type { SteeringView } from './view.ts';

/**
 * What a box is taken to have on it: what it reports, and our own decisions since, which its reports do not show yet. A box of
 * weight 1 has a line of 10 Gbit/s, which two thousand viewers of 5 Mbit/s fill.
 */
export interface LoadPolicy {
  /** Our decisions count half after so long: about the age of what a report shows. */
  readonly halfLifeMs: number;
  /** Share of a box of weight 1 that one viewer takes. */
  readonly viewerShare: number;
  /** From this share in use on, viewers are sent on, more of them the fuller it is. */
  readonly spillFrom: number;
  /** From this share in use on, all are: the bound. */
  readonly full: number;
}

/** The policy for a smallest headroom. */
export function loadPolicyOf(headroomMin: number): LoadPolicy {
  const full = 1 - headroomMin;
  return { halfLifeMs: 4_000, viewerShare: 1 / 2000, spillFrom: 0.85 * full, full };
}

/**
 * The share of its viewers that a box keeps, from 1 down to 0 as it fills. Which ones are sent on is decided by a hash of the
 * viewer: the same few go while it is full, and they come back as it empties. All steering nodes read the same reports and
 * none looks for the emptiest box, so they do not herd.
 */
export function keptShare(used: number, { spillFrom, full }: LoadPolicy): number {
  return Math.max(0, Math.min(1, (full - used) / (full - spillFrom)));
}

/** The load of the appliances of a view, kept from decision to decision. */
export class LoadState {
  /** For each appliance the share of its viewers that it keeps. */
  readonly kept: Float64Array;
  readonly #policy: LoadPolicy;
  readonly #decided: Float64Array;
  readonly #used: Float64Array;
  /** What one decision of ours says: its viewer, and those whom the other steering nodes send meanwhile. */
  readonly #shares: Float64Array;
  #atMs: number;

  constructor(
    view: SteeringView,
    { policy, nodes, nowMs }: { policy: LoadPolicy; nodes: number; nowMs: number },
  ) {
    const { appliances } = view;
    this.#policy = policy;
    this.#decided = new Float64Array(appliances.length);
    this.#used = new Float64Array(appliances.length);
    this.#shares = Float64Array.from(
      appliances,
      ({ weight }) => (nodes * policy.viewerShare) / Math.max(weight, 0.01),
    );
    this.kept = new Float64Array(appliances.length).fill(1);
    this.#atMs = nowMs;
  }

  /** Takes what boxes report (headroom of each, 0 to 1), and forgets old decisions. */
  report(headroomOf: (appliance: number) => number, nowMs: number): void {
    const left = 0.5 ** (Math.max(0, nowMs - this.#atMs) / this.#policy.halfLifeMs);
    this.#atMs = nowMs;
    for (let appliance = 0; appliance < this.kept.length; appliance++) {
      this.#decided[appliance] = (this.#decided[appliance] ?? 0) * left;
      this.#used[appliance] = 1 - headroomOf(appliance);
      this.#update(appliance);
    }
  }

  /** Counts a viewer who was sent to an appliance. */
  decide(appliance: number): void {
    this.#decided[appliance] = (this.#decided[appliance] ?? 0) + (this.#shares[appliance] ?? 0);
    this.#update(appliance);
  }

  /** Takes over the decisions for a newer view, by the ids of the appliances. */
  carry(from: LoadState, indexBefore: (appliance: number) => number | undefined): void {
    for (let appliance = 0; appliance < this.kept.length; appliance++) {
      const before = indexBefore(appliance);
      if (before !== undefined) this.#decided[appliance] = from.#decided[before] ?? 0;
    }
    this.#atMs = from.#atMs;
  }

  #update(appliance: number): void {
    const used = (this.#used[appliance] ?? 0) + (this.#decided[appliance] ?? 0);
    this.kept[appliance] = keptShare(used, this.#policy);
  }
}

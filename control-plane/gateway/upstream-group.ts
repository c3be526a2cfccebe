import type { Clock } from '../../common/runtime/clock.ts';
import { Circuit, circuitDefaults } from './core/circuit.ts';
import { RetryBudget } from './core/retry-budget.ts';
import type { UpstreamRoute } from './core/upstream-table.ts';
import type { UpstreamTimes } from './upstream-connection.ts';
import { UpstreamPool } from './upstream-pool.ts';

const CONNECTIONS_MAX = 64;
const patience: UpstreamTimes = {
  connectMs: 2000,
  // Longer than any long poll.
  beginMs: 40_000,
  idleMs: 60_000,
  keepMs: 10_000,
};

/** One process of a service. */
export interface Upstream {
  readonly origin: string;
  readonly pool: UpstreamPool;
  readonly circuit: Circuit;
  inFlight: number;
}

/** The processes that answer for one prefix. */
export interface UpstreamGroup {
  readonly prefix: string;
  readonly upstreams: readonly Upstream[];
  readonly budget: RetryBudget;
  /** Requests sent or waiting to be. */
  inFlight: number;
  /** The one with the fewest requests under way that may be asked, its circuit entered by the request; those in `not` only if no other may. */
  pick(request: object, not: readonly Upstream[]): Upstream | undefined;
  close(): void;
}

/** Opens what answers for a prefix; connects when first asked. */
export function openGroup(
  { prefix, origins }: UpstreamRoute,
  clock: Clock,
  times: UpstreamTimes = patience,
): UpstreamGroup {
  const upstreams = origins.map((origin): Upstream => ({
    origin,
    pool: new UpstreamPool(origin, { connectionsMax: CONNECTIONS_MAX, times }),
    circuit: new Circuit(circuitDefaults),
    inFlight: 0,
  }));
  let turn = 0;
  return {
    ...{ prefix, upstreams, budget: new RetryBudget(), inFlight: 0 },
    pick(request, not) {
      const nowMs = clock.monotonicMs();
      // Equals take turns.
      turn = (turn + 1) % upstreams.length;
      let best: Upstream | undefined;
      for (let step = 0; step < upstreams.length; step++) {
        const one = upstreams[(turn + step) % upstreams.length];
        if (one === undefined || one.circuit.state(nowMs) === 'open') continue;
        if (best === undefined || isBetter(one, best, not)) best = one;
      }
      best?.circuit.enter(request, nowMs);
      return best;
    },
    close: () => {
      for (const { pool } of upstreams) pool.close();
    },
  };
}

function isBetter(one: Upstream, other: Upstream, not: readonly Upstream[]): boolean {
  const [wasAsked, otherWasAsked] = [not.includes(one), not.includes(other)];
  return wasAsked === otherWasAsked ? one.inFlight < other.inFlight : otherWasAsked;
}

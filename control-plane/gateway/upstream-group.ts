import { Pool } from 'undici';
import type { Clock } from '../../common/runtime/clock.ts';
import { Circuit, circuitDefaults } from './core/circuit.ts';
import { RetryBudget } from './core/retry-budget.ts';
import type { UpstreamRoute } from './core/upstream-table.ts';

const CONNECTIONS_MAX = 64;
const CONNECT_MS = 2000;
// Longer than any long poll.
const HEADERS_MS = 40_000;
const IDLE_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;

/** One process of a service. */
export interface Upstream {
  readonly origin: string;
  readonly pool: Pool;
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
  /** The one with the fewest requests under way that may be asked, its circuit entered; those in `not` only if no other may. */
  pick(not: ReadonlySet<Upstream>): Upstream | undefined;
  close(): Promise<void>;
}

/** Opens what answers for a prefix; connects when first asked. */
export function openGroup({ prefix, origins }: UpstreamRoute, clock: Clock): UpstreamGroup {
  const upstreams = origins.map((origin): Upstream => ({
    origin,
    pool: new Pool(origin, {
      connections: CONNECTIONS_MAX,
      connectTimeout: CONNECT_MS,
      headersTimeout: HEADERS_MS,
      bodyTimeout: IDLE_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    }),
    circuit: new Circuit(circuitDefaults),
    inFlight: 0,
  }));
  let turn = 0;
  return {
    ...{ prefix, upstreams, budget: new RetryBudget(), inFlight: 0 },
    pick(not) {
      // Equals take turns.
      turn = (turn + 1) % upstreams.length;
      const order = [...upstreams.slice(turn), ...upstreams.slice(0, turn)].sort(
        (a, b) => Number(not.has(a)) - Number(not.has(b)) || a.inFlight - b.inFlight,
      );
      return order.find(({ circuit }) => circuit.enter(clock.monotonicMs()));
    },
    close: async () => {
      await Promise.all(upstreams.map(({ pool }) => pool.destroy()));
    },
  };
}

import type { NodeChallenge } from '../../../common/contract/certificates.ts';
import type { Clock } from '../../../common/runtime/clock.ts';

export interface ChallengesOptions {
  readonly clock: Clock;
  /** Told whenever what is to be published changes. */
  readonly onChange: () => void;
}

/** What nodes show to ACME servers through the steering zone, each under its own name. */
export interface Challenges {
  /** Publishes these in place of what the node had published; none of them takes it back. */
  publish(node: string, values: readonly string[]): void;
  /** What is to be published now, by node id. */
  published(): NodeChallenge[];
}

/** An order is done, or has failed, long before (RFC 8555 lets the server choose; a week is usual, minutes are needed). */
const lifeMs = 3_600_000;

/** Makes the service. In memory only: a node whose challenge was lost with this process asks again. */
export function createChallenges({ clock, onChange }: ChallengesOptions): Challenges {
  // One entry for a node at most, and only nodes that are enrolled may publish.
  const held = new Map<string, { values: readonly string[]; endsAtMs: number }>();
  const forgetOld = (): void => {
    for (const [node, { endsAtMs }] of held) if (endsAtMs <= clock.monotonicMs()) held.delete(node);
  };
  return {
    publish(node, values) {
      forgetOld();
      if (values.length === 0) held.delete(node);
      else held.set(node, { values: [...new Set(values)], endsAtMs: clock.monotonicMs() + lifeMs });
      onChange();
    },
    published() {
      forgetOld();
      const all = Array.from(held, ([node, { values }]) => ({ node, values: [...values] }));
      return all.sort((a, b) => (a.node < b.node ? -1 : 1));
    },
  };
}

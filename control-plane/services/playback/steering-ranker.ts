import { RankReply } from '../../../common/contract/steering.ts';
import type { AccessTokenReply } from '../../../common/contract/credentials.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { createControlClient } from '../../../common/runtime/control-client.ts';
import type { RankPathways } from './ports.ts';

const tokenRenewMs = 60_000;

export interface SteeringRankerOptions {
  readonly steeringUrl: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Makes an access token of the role `service`. */
  readonly serviceToken: () => Promise<AccessTokenReply>;
}

/** Steering asked over HTTP with a service's credential. Never tried twice: the fallback is better than a late answer. */
export function createSteeringRanker(options: SteeringRankerOptions): {
  rank: RankPathways;
  close: () => Promise<void>;
} {
  const { clock, chance, serviceToken, steeringUrl } = options;
  let held: Promise<AccessTokenReply> | undefined;
  const authorize = async (): Promise<string> => {
    const current = await held?.catch(() => undefined);
    if (current === undefined || current.expiresAtMs - clock.nowMs() < tokenRenewMs) held = serviceToken();
    return `Bearer ${(await held)?.token ?? ''}`;
  };
  const client = createControlClient({
    url: steeringUrl,
    clock,
    chance,
    authorize,
    unreachable: 'STEERING_UNREACHABLE',
  });
  return {
    rank: async (query, { signal }) => {
      const call = { method: 'POST', path: '/v1/rank', body: query, retriesMax: 0, signal } as const;
      return (await client.json(call, RankReply)).value?.pathways ?? [];
    },
    close: () => client.close(),
  };
}

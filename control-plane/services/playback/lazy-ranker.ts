import type { RankPathways } from './ports.ts';
import type { SteeringRankerOptions } from './steering-ranker.ts';

/** Ranks pathways by steering. */
export interface LazyRanker {
  rank: RankPathways;
  close(): Promise<void>;
}

/** Steering's client, loaded with the first session: an idle control plane needs none. */
export function lazyRanker(options: SteeringRankerOptions): LazyRanker {
  let loaded: Promise<LazyRanker> | undefined;
  const load = async (): Promise<LazyRanker> => {
    const { createSteeringRanker } = await import('./steering-ranker.ts');
    return createSteeringRanker(options);
  };
  return {
    rank: async (query, context) => (await (loaded ??= load())).rank(query, context),
    close: async () => {
      await (await loaded)?.close();
    },
  };
}

import { createSeededChance } from '../common/runtime/chance.ts';
import { coded } from '../common/runtime/errors.ts';
import { readRatings, type TornLine } from './lab/ratings-file.ts';
import type { Ratings } from './lab/rating-list.ts';
import { judge, choose, type Choice } from './services/recommendations/core/choose.ts';
import { interactionsOf, type Interactions } from './services/recommendations/core/interactions.ts';
import type { Scores } from './services/recommendations/core/metrics.ts';
import { modelDefaults, trainBase, trainEase, type Blend } from './services/recommendations/core/model.ts';
import { protocols, splitEntries, type Protocol } from './services/recommendations/core/split.ts';
import { tasteWeights } from './services/recommendations/core/taste.ts';
import { within, type Work } from './services/recommendations/core/work.ts';
import { driven } from './services/recommendations/drive.ts';

/** What `nearcast lab recommend` was asked, as it was written on the command line. */
export interface RecommendLabRequest {
  readonly ratings: string;
  readonly protocol: string;
  /** The same seed splits in the same way. */
  readonly seed: number;
  readonly signal: AbortSignal;
  /** How much is done, 0 to 1, and what is being done. */
  readonly onProgress: (fraction: number, what: string) => void;
}

export interface RecommendReport {
  readonly protocol: Protocol;
  readonly seed: number;
  readonly ratings: number;
  readonly users: number;
  readonly items: number;
  readonly repeated: number;
  readonly tornLines: number;
  readonly firstTorn: readonly TornLine[];
  readonly chosen: Choice;
  readonly trainSeconds: number;
  readonly results: readonly (Scores & { readonly model: string })[];
}

/** EASE's matrix takes 4 bytes for each pair of items, and the time of their number cubed. */
const itemsMax = 20_000;
const turnMs = 50;
const none = { ease: 0, itemKnn: 0, factors: 0, popularity: 0 };
/** What the blend is compared with. */
const alone: Readonly<Record<string, Blend>> = {
  popularity: { ...none, popularity: 1 },
  'item-kNN': { ...none, itemKnn: 1 },
  iALS: { ...none, factors: 1 },
  EASE: { ...none, ease: 1 },
};

/**
 * Trains recommendations on a file of ratings and scores them by a published protocol; λ and blend are chosen on the validation part only.
 *
 * @throws INVALID, PATH_UNREADABLE, RATINGS_INVALID, ABORTED
 */
export async function scoreRatings(request: RecommendLabRequest): Promise<RecommendReport> {
  const { seed, signal, onProgress } = request;
  const protocol = protocols.find((name) => name === request.protocol.toLowerCase());
  if (protocol === undefined)
    throw coded(
      'INVALID',
      `--protocol is not ${JSON.stringify(request.protocol)} but one of ${protocols.join(', ')}`,
    );
  const { ratings, tornLines, firstTorn } = await readRatings(request.ratings, {
    signal,
    onProgress: (fraction) => {
      onProgress(0.1 * fraction, 'reading');
    },
  });
  if (ratings.items > itemsMax)
    throw coded(
      'RATINGS_INVALID',
      `${ratings.items} items are more than ${itemsMax}; leave out those with few ratings`,
    );
  const started = performance.now();
  const scored = await driven(scoring(ratings, protocol, seed), {
    ...{ signal, turnMs },
    onProgress: (fraction) => {
      onProgress(0.1 + 0.9 * fraction, 'training');
    },
  });
  const { users, items, count, repeated } = ratings;
  return {
    ...{ protocol, seed, ratings: count, users, items, repeated, tornLines, firstTorn },
    trainSeconds: (performance.now() - started) / 1000,
    ...scored,
  };
}

function* scoring(
  ratings: Ratings,
  protocol: Protocol,
  seed: number,
): Work<Pick<RecommendReport, 'chosen' | 'results'>> {
  const chance = createSeededChance(seed);
  const split = splitEntries(ratings.userOf, protocol, () => chance.fraction());
  const part = (...entries: readonly Uint32Array[]): Interactions => partOf(ratings, entries);
  const [train, validation, test] = [part(split.train), part(split.validation), part(split.test)];
  if (test.itemOf.length === 0)
    throw coded('RATINGS_INVALID', 'no user has enough ratings for a test; two a user are the least');
  const options = { ...modelDefaults, seed };
  const { choice: chosen } = yield* within([0, 0.7], choose(train, validation, options));
  const known = split.trainsOnBoth ? part(split.train, split.validation) : train;
  const base = yield* within([0.7, 0.8], trainBase(known, options));
  const ease = yield* within([0.8, 0.9], trainEase(known, { ...options, lambda: chosen.lambda }));
  const tried = { ...alone, blend: chosen.blend };
  const trial = { known, hidden: test, leftOut: validation };
  const scores = yield* within([0.9, 1], judge({ ...base, ease }, trial, Object.values(tried)));
  const models = Object.keys(tried);
  return { chosen, results: scores.map((score, at) => ({ model: models[at] ?? '', ...score })) };
}

function partOf(
  { users, items, userOf, itemOf, ratingOf }: Ratings,
  parts: readonly Uint32Array[],
): Interactions {
  const entries = Uint32Array.from(parts.flatMap((part) => [...part]));
  const usersOf = entries.map((entry) => userOf[entry] ?? 0);
  const ratings = Float64Array.from(entries, (entry) => ratingOf[entry] ?? NaN);
  const weightOf = tasteWeights(usersOf, ratings, users);
  return interactionsOf(
    { userOf: usersOf, itemOf: entries.map((entry) => itemOf[entry] ?? 0), weightOf },
    { users, items },
  );
}

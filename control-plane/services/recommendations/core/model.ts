import { easeWeights } from './ease.ts';
import {
  addFactorScores,
  itemFactors,
  userFactorsOf,
  type FactorOptions,
  type ItemFactors,
  type Solve,
} from './factors.ts';
import { gramOf } from './gram.ts';
import { rowOf, sampledUsers, type Interactions } from './interactions.ts';
import { itemKnnWeights } from './item-knn.ts';
import { addScores, type ItemWeights } from './item-weights.ts';
import { within, type Work } from './work.ts';

/** How much each part of a model has to say; parts are brought to the same spread for each user first. */
export interface Blend {
  readonly ease: number;
  readonly itemKnn: number;
  readonly factors: number;
  /** Of the logarithm of how many have met an item; below 0, what everybody knows stands back. */
  readonly popularity: number;
}

export interface ModelOptions {
  readonly lambda: number;
  readonly perItem: number;
  readonly neighbours: { readonly shrink: number; readonly perItem: number };
  readonly factors: FactorOptions;
  /** Of more entries than these, factors of items are learnt from some of the users: those of other users follow from them. */
  readonly factorEntriesMax: number;
  readonly seed: number;
}

/** What is tried where nothing better is known: chosen on validation parts of public and made ratings, never on what was judged. */
export const modelDefaults: ModelOptions = {
  lambda: 300,
  perItem: Infinity,
  neighbours: { shrink: 10, perItem: 200 },
  factors: { rank: 40, unmetWeight: 0.1, regularisation: 0.01, rounds: 8 },
  factorEntriesMax: 4_000_000,
  seed: 1,
};

/** What was learnt of items; it knows of no user. */
export interface Model {
  readonly items: number;
  readonly ease: ItemWeights;
  readonly itemKnn: ItemWeights;
  readonly factors: ItemFactors;
  /** ln(1 + users who have met the item). */
  readonly popularity: Float64Array;
}

/** What does not depend on λ; a model is made of it and of EASE's weights. */
export type Base = Omit<Model, 'ease'>;

/** Learns all that does not depend on λ. */
export function* trainBase(interactions: Interactions, options: ModelOptions): Work<Base> {
  const { items, itemOf } = interactions;
  const gram = yield* within([0, 0.3], gramOf(interactions));
  const itemKnn = itemKnnWeights(gram, options.neighbours);
  const sample = sampledUsers(interactions, options.factorEntriesMax);
  const factors = yield* within([0.3, 1], itemFactors(sample, options.factors, options.seed));
  const popularity = new Float64Array(items);
  for (const item of itemOf) popularity[item]!++;
  return { items, itemKnn, factors, popularity: popularity.map(Math.log1p) };
}

/** Learns EASE's weights. Errors: RangeError where λ is too small. */
export function* trainEase(interactions: Interactions, { lambda, perItem }: ModelOptions): Work<ItemWeights> {
  const gram = yield* within([0, 0.2], gramOf(interactions));
  return yield* within([0.2, 1], easeWeights(gram, { lambda, perItem }));
}

/** The scores of a model's parts for one user at a time, and how they are blended. */
export class Scorer {
  readonly #model: Model;
  readonly #userFactors: Solve;
  readonly #parts: { ease: Float64Array; itemKnn: Float64Array; factors: Float64Array };
  /** What brings each part to the same spread. */
  #levels = { ease: 0, itemKnn: 0, factors: 0 };

  constructor(model: Model) {
    this.#model = model;
    this.#userFactors = userFactorsOf(model.factors);
    const one = (): Float64Array => new Float64Array(model.items);
    this.#parts = { ease: one(), itemKnn: one(), factors: one() };
  }

  /** Turns to the user of a row of `interactions`. */
  user(interactions: Interactions, user: number): void {
    const { ease, itemKnn, factors } = this.#parts;
    const met = rowOf(interactions, user);
    ease.fill(0);
    addScores(this.#model.ease, met, ease);
    itemKnn.fill(0);
    addScores(this.#model.itemKnn, met, itemKnn);
    factors.fill(0);
    addFactorScores(this.#model.factors, this.#userFactors(met.itemOf), factors);
    this.#levels = { ease: levelOf(ease), itemKnn: levelOf(itemKnn), factors: levelOf(factors) };
  }

  /** What each part says of an item, for the user that was turned to. */
  partsOf(item: number): Blend {
    const { ease, itemKnn, factors } = this.#parts;
    const popularity = this.#model.popularity[item]!;
    const levels = this.#levels;
    return {
      ...{ ease: levels.ease * ease[item]!, itemKnn: levels.itemKnn * itemKnn[item]! },
      ...{ factors: levels.factors * factors[item]!, popularity },
    };
  }

  /** Writes the user's score of each item over `scores`. */
  blend({ ease, itemKnn, factors, popularity }: Blend, scores: Float64Array): void {
    const { ease: one, itemKnn: two, factors: three } = this.#parts;
    const levels = this.#levels;
    const [a, b, c] = [ease * levels.ease, itemKnn * levels.itemKnn, factors * levels.factors];
    const known = this.#model.popularity;
    for (let item = 0; item < scores.length; item++)
      scores[item] = a * one[item]! + b * two[item]! + c * three[item]! + popularity * known[item]!;
  }
}

/** What brings scores to a root mean square of 1; 0 for those that are all 0. */
export function levelOf(scores: Float64Array): number {
  // Four sums, since each addition would wait for the one before it.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const even = scores.length & ~3;
  for (let at = 0; at < even; at += 4) {
    s0 += scores[at]! ** 2;
    s1 += scores[at + 1]! ** 2;
    s2 += scores[at + 2]! ** 2;
    s3 += scores[at + 3]! ** 2;
  }
  for (let at = even; at < scores.length; at++) s0 += scores[at]! ** 2;
  const squares = s0 + s1 + (s2 + s3);
  return squares === 0 ? 0 : Math.sqrt(scores.length / squares);
}

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
    for (const part of [ease, itemKnn, factors]) levelled(part);
  }

  /** What each part says of an item, for the user that was turned to. */
  partsOf(item: number): Blend {
    const { ease, itemKnn, factors } = this.#parts;
    const popularity = this.#model.popularity[item]!;
    return { ease: ease[item]!, itemKnn: itemKnn[item]!, factors: factors[item]!, popularity };
  }

  /** Writes the user's score of each item over `scores`. */
  blend({ ease, itemKnn, factors, popularity }: Blend, scores: Float64Array): void {
    const { ease: one, itemKnn: two, factors: three } = this.#parts;
    for (let item = 0; item < scores.length; item++)
      scores[item] =
        ease * one[item]! +
        itemKnn * two[item]! +
        factors * three[item]! +
        popularity * this.#model.popularity[item]!;
  }
}

/** Brings scores to a root mean square of 1; those that are all 0 stay so. */
export function levelled(scores: Float64Array): void {
  let squares = 0;
  for (const score of scores) squares += score * score;
  if (squares === 0) return;
  const scale = Math.sqrt(scores.length / squares);
  for (let item = 0; item < scores.length; item++) scores[item]! *= scale;
}

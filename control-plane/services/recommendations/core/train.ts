import { rowsWhere, splitByTime, type TimedEntries } from './by-time.ts';
import { choose, judge, lambdas, type Choice, type Trial } from './choose.ts';
import type { ItemFactors } from './factors.ts';
import type { ItemWeights } from './item-weights.ts';
import type { Scores } from './metrics.ts';
import { modelDefaults, type Blend, type Model } from './model.ts';
import type { NamedModel } from './basis.ts';
import { within, type Work } from './work.ts';

/** What is judged by the same users. */
export interface Verdict {
  readonly candidate: Scores;
  /** What everybody watches, offered to everybody. */
  readonly popularity: Scores;
  /** The model that is in force, if there is one. */
  readonly incumbent: Scores | undefined;
}

/** A model that was trained, and how it did beside what there is. */
export interface Candidate extends Verdict {
  readonly model: Model;
  readonly choice: Choice;
  /** It knows what was before, Unix seconds; what came after judged it. */
  readonly cutS: number;
}

/** What a catalogue keeps of each title to serve by. */
const perItem = 200;
/** For so many titles every λ is tried; for more, whose matrices take minutes, one. */
const searchedItemsMax = 1500;
const judgesMax = 4000;
const none = { ease: 0, itemKnn: 0, factors: 0, popularity: 0 };
/** Where nobody is there to choose by. */
const usualBlend: Blend = { ease: 1, itemKnn: 0.15, factors: 0.5, popularity: 0 };

/**
 * Trains a model with what was met before a moment and judges it by what the same people met after it, beside popularity and the
 * incumbent. Half of these people choose λ and the blend, the other half judge. The model that was judged is the one that may be served:
 * what people have met since is asked of it, not trained into it.
 *
 * @param titles of each item its title
 */
export function* trainCandidate(
  entries: TimedEntries,
  { titles, incumbent }: { titles: readonly string[]; incumbent: NamedModel | undefined },
): Work<Candidate> {
  const { cutS, known, hidden } = splitByTime(entries);
  const choosers = rowsWhere(hidden, (user) => user % 2 === 0);
  const trial = { known, hidden: rowsWhere(hidden, (user) => user % 2 === 1), judgesMax };
  const options = {
    ...{ ...modelDefaults, perItem },
    tried: entries.items <= searchedItemsMax ? lambdas : [modelDefaults.lambda],
  };
  const { choice, model } = yield* within([0, 0.95], choose(known, choosers, options));
  const chosen = choosers.itemOf.length === 0 ? { ...choice, blend: usualBlend } : choice;
  const verdict = yield* within(
    [0.95, 1],
    verdictOf({ model, blend: chosen.blend, titles, incumbent }, trial),
  );
  return { ...verdict, model, choice: chosen, cutS };
}

function* verdictOf(
  {
    model,
    blend,
    titles,
    incumbent,
  }: { model: Model; blend: Blend; titles: readonly string[]; incumbent: NamedModel | undefined },
  trial: Trial,
): Work<Verdict> {
  const blends = [blend, { ...none, popularity: 1 }];
  const [candidate, popularity] = yield* within([0, 0.5], judge(model, trial, blends));
  if (incumbent === undefined) return { candidate: candidate!, popularity: popularity!, incumbent };
  const before = inSpaceOf(incumbent, titles);
  const [held] = yield* within([0.5, 1], judge(before, trial, [incumbent.blend]));
  return { candidate: candidate!, popularity: popularity!, incumbent: held };
}

/**
 * Whether a candidate is to be served: it does better than the model that is, or than popularity where there is none. Where nobody judged
 * nothing is proved, and rows go on without it.
 */
export function isBetter({ candidate, popularity, incumbent }: Verdict): boolean {
  if (candidate.users === 0) return false;
  return candidate.ndcg10 > (incumbent ?? popularity).ndcg10;
}

/** The same model over other items, named by their titles: what it does not know has no weights. */
export function inSpaceOf({ model, titles: own }: NamedModel, titles: readonly string[]): Model {
  const numberOf = new Map(titles.map((id, item) => [id, item]));
  const to = Int32Array.from(own, (id) => numberOf.get(id) ?? -1);
  const from = new Int32Array(titles.length).fill(-1);
  for (const [item, other] of to.entries()) if (other >= 0) from[other] = item;
  const popularity = Float64Array.from(from, (item) => (item < 0 ? 0 : model.popularity[item]!));
  return {
    items: titles.length,
    ease: movedWeights(model.ease, { from, to }),
    itemKnn: movedWeights(model.itemKnn, { from, to }),
    factors: movedFactors(model.factors, from),
    popularity,
  };
}

function movedWeights(
  { offsets, itemOf, weights }: ItemWeights,
  { from, to }: { from: Int32Array; to: Int32Array },
): ItemWeights {
  const moved: { items: number[]; weights: number[] } = { items: [], weights: [] };
  const begins = new Uint32Array(from.length + 1);
  for (const [item, old] of from.entries()) {
    const row: [number, number][] = [];
    for (let at = offsets[old] ?? 0; at < (offsets[old + 1] ?? 0) && old >= 0; at++) {
      const other = to[itemOf[at]!]!;
      if (other >= 0) row.push([other, weights[at]!]);
    }
    for (const [other, weight] of row.sort(([one], [two]) => one - two)) {
      moved.items.push(other);
      moved.weights.push(weight);
    }
    begins[item + 1] = moved.items.length;
  }
  return {
    items: from.length,
    offsets: begins,
    itemOf: Uint32Array.from(moved.items),
    weights: Float32Array.from(moved.weights),
  };
}

function movedFactors(factors: ItemFactors, from: Int32Array): ItemFactors {
  const { rank } = factors;
  const values = new Float64Array(from.length * rank);
  for (const [item, old] of from.entries())
    if (old >= 0) values.set(factors.values.subarray(old * rank, (old + 1) * rank), item * rank);
  return { ...factors, items: from.length, values };
}

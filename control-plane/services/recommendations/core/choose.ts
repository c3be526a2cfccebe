import { bestItems } from './best-items.ts';
import { rowOf, type Interactions } from './interactions.ts';
import { Judge, listLength, type Scores } from './metrics.ts';
import { Scorer, trainBase, trainEase, type Blend, type Model, type ModelOptions } from './model.ts';
import { within, type Work } from './work.ts';

/** λ of EASE and the blend that did best on a validation part. */
export interface Choice {
  readonly lambda: number;
  readonly blend: Blend;
  /** nDCG@10 on the validation. */
  readonly ndcg10: number;
}

/** What was chosen, with the model that was trained for it. */
export interface Chosen {
  readonly choice: Choice;
  readonly model: Model;
}

/** Who is judged by what: rows of the same users. */
export interface Trial {
  /** What the model is asked with. */
  readonly known: Interactions;
  /** What is to be found. */
  readonly hidden: Interactions;
  /** What is not recommended although it is not known to the model. */
  readonly leftOut?: Interactions | undefined;
  /** How many users judge, evenly chosen; all of them where nothing is said. */
  readonly judgesMax?: number;
}

/** Every λ that is tried where there is time for it. */
export const lambdas: readonly number[] = [150, 300, 600, 1200];
/** So many users tell blends apart well enough. */
const choosersMax = 2000;
const usersPerStep = 16;

/** Every blend that is tried: EASE leads, the others have a say. */
export const blends: readonly Blend[] = [0, 0.5, 1, 1.5].flatMap((factors) =>
  [0, 0.15].flatMap((itemKnn) =>
    [-0.6, -0.4, -0.2, 0].map((popularity) => ({ ease: 1, itemKnn, factors, popularity })),
  ),
);

/** Chooses λ, one of some, and the blend by the validation part alone. */
export function* choose(
  train: Interactions,
  validation: Interactions,
  { tried = lambdas, ...options }: ModelOptions & { readonly tried?: readonly number[] },
): Work<Chosen> {
  const base = yield* within([0, 0.25], trainBase(train, options));
  let best: Chosen | undefined;
  for (const [number, lambda] of tried.entries()) {
    const from = 0.25 + (0.75 * number) / tried.length;
    const middle = from + 0.4 / tried.length;
    const ease = yield* within([from, middle], trainEase(train, { ...options, lambda }));
    const trial = { known: train, hidden: validation, judgesMax: choosersMax };
    const results = yield* within(
      [middle, 0.25 + (0.75 * (number + 1)) / tried.length],
      judge({ ...base, ease }, trial, blends),
    );
    for (const [at, { ndcg10 }] of results.entries())
      if (best === undefined || ndcg10 > best.choice.ndcg10)
        best = { choice: { lambda, blend: blends[at]!, ndcg10 }, model: { ...base, ease } };
  }
  return best!;
}

/** Judges blends of a model by the users of a trial. */
export function* judge(model: Model, trial: Trial, tried: readonly Blend[]): Work<Scores[]> {
  const scorer = new Scorer(model);
  const scores = new Float64Array(model.items);
  const sums = tried.map(() => new Judge());
  const hidden = new Uint8Array(model.items);
  const users = judgedUsers(trial);
  for (const [number, user] of users.entries()) {
    const wanted = rowOf(trial.hidden, user).itemOf;
    for (const item of wanted) hidden[item] = 1;
    scorer.user(trial.known, user);
    for (const [at, blend] of tried.entries()) {
      scorer.blend(blend, scores);
      for (const part of [trial.known, trial.leftOut])
        for (const item of part === undefined ? [] : rowOf(part, user).itemOf) scores[item] = -Infinity;
      sums[at]!.add(bestItems(scores, listLength), (item) => hidden[item] === 1, wanted.length);
    }
    for (const item of wanted) hidden[item] = 0;
    if (number % usersPerStep === 0) yield number / users.length;
  }
  return sums.map((sum) => sum.scores());
}

/** Users who have something to be found, every n-th of them where there are more than may judge. */
function judgedUsers({ hidden, judgesMax = Infinity }: Trial): number[] {
  const users = Array.from({ length: hidden.users }, (_, user) => user).filter(
    (user) => rowOf(hidden, user).itemOf.length > 0,
  );
  const every = Math.max(1, Math.ceil(users.length / judgesMax));
  return users.filter((_, place) => place % every === 0);
}

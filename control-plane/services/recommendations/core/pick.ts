/** What a row is picked from. */
export interface PickOptions {
  readonly count: number;
  /** How much chance has a say, in units of scores: 0 takes the best. */
  readonly temperature: number;
  /** Random numbers in [0, 1): the same ones pick the same. */
  readonly fraction: () => number;
  /** How alike two titles are, 0 to 1: what is like its neighbours stands back. */
  readonly likeness: (one: number, other: number) => number;
  /** Asked of each that is about to be picked; candidates are those that were shown a moment ago, so it is rarely refused. */
  readonly mayShow: (title: number) => boolean;
}

/** A title that was picked. */
export interface Picked {
  readonly title: number;
  /** How likely it was to be picked at its place, of what was left: above 0, at most 1. */
  readonly propensity: number;
}

/** Neighbours that a title is compared with, and how much being like them costs, in units of scores. */
const neighbours = 4;
const likenessCost = 0.5;

/**
 * Picks titles one after another, each with a chance by its score: softmax of what is left (Plackett and Luce), after what is like
 * the titles just before it has been held down (maximal marginal relevance, Carbonell and Goldstein, 1998).
 *
 * @param titles candidates; those whose score is −Infinity are none
 */
export function pick(titles: ArrayLike<number>, scores: Float64Array, options: PickOptions): Picked[] {
  const { count, mayShow } = options;
  const left = Array.from(titles).filter((title) => scores[title]! > -Infinity);
  const picked: Picked[] = [];
  while (picked.length < count && left.length > 0) {
    const { at, propensity } = draw(left, adjusted(left, scores, { picked, ...options }), options);
    const [title] = left.splice(at, 1);
    // Another is drawn for what may not be shown any more.
    if (mayShow(title!)) picked.push({ title: title!, propensity });
  }
  return picked;
}

function adjusted(
  left: readonly number[],
  scores: Float64Array,
  { picked, likeness }: { picked: readonly Picked[] } & Pick<PickOptions, 'likeness'>,
): number[] {
  const last = picked.slice(-neighbours);
  return left.map((title) => {
    let most = 0;
    for (const { title: other } of last) most = Math.max(most, likeness(title, other));
    return scores[title]! - likenessCost * most;
  });
}

function draw(
  left: readonly number[],
  values: readonly number[],
  { temperature, fraction }: Pick<PickOptions, 'temperature' | 'fraction'>,
): { at: number; propensity: number } {
  const best = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (temperature === 0) return { at: values.indexOf(best), propensity: 1 };
  const chances = values.map((value) => Math.exp((value - best) / temperature));
  const sum = chances.reduce((all, chance) => all + chance, 0);
  let rest = fraction() * sum;
  let at = 0;
  while (at < left.length - 1 && rest >= chances[at]!) rest -= chances[at++]!;
  // One that is so unlikely that it rounds to nothing is picked by rounding only.
  return { at, propensity: Math.max(chances[at]! / sum, Number.MIN_VALUE) };
}

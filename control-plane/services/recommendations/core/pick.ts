import type { ScoredTitles } from './best-items.ts';

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
/** exp(−40) is less than the rounding of 1. */
const neverDrawn = -40;

/**
 * Picks titles one after another, each with a chance by its score: softmax of what is left (Plackett and Luce), after what is like
 * the titles just before it has been held down (maximal marginal relevance, Carbonell and Goldstein, 1998).
 *
 */
export function pick({ titles, scores }: ScoredTitles, options: PickOptions): Picked[] {
  const { count, mayShow, likeness } = options;
  const left = scores.slice();
  /** Of each candidate how alike it is to the titles that were picked last. */
  const alike = new Float64Array(neighbours * titles.length);
  const values = new Float64Array(left.length);
  const picked: Picked[] = [];
  for (let drawn = 0; picked.length < count && drawn < titles.length; drawn++) {
    const { at, propensity } = draw(adjust(values, left, alike), options);
    const title = titles[at]!;
    left[at] = -Infinity;
    // Another is drawn for what may not be shown any more.
    if (!mayShow(title)) continue;
    const oldest = picked.push({ title, propensity }) % neighbours;
    for (let other = 0; other < titles.length; other++)
      if (left[other]! > -Infinity) alike[neighbours * other + oldest] = likeness(titles[other]!, title);
  }
  return picked;
}

/** Writes over `values` what is left of scores once what is like its neighbours is held down. */
function adjust(values: Float64Array, left: Float64Array, alike: Float64Array): Float64Array {
  for (let at = 0; at < left.length; at++) {
    let most = 0;
    for (let of = neighbours * at; of < neighbours * (at + 1); of++) if (alike[of]! > most) most = alike[of]!;
    values[at] = left[at]! - likenessCost * most;
  }
  return values;
}

/** One of some values, at least one of them above −Infinity; they are written over. */
function draw(
  values: Float64Array,
  { temperature, fraction }: Pick<PickOptions, 'temperature' | 'fraction'>,
): { at: number; propensity: number } {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at]! > values[best]!) best = at;
  if (temperature === 0) return { at: best, propensity: 1 };
  const most = values[best]!;
  let sum = 0;
  for (let at = 0; at < values.length; at++) {
    const behind = (values[at]! - most) / temperature;
    // Beyond that nothing is added to a sum of 1 or more.
    values[at] = behind < neverDrawn ? 0 : Math.exp(behind);
    sum += values[at]!;
  }
  let rest = fraction() * sum;
  // Rounding may leave a rest behind the last: the best is as good as any then.
  for (let at = 0; at < values.length; at++) {
    if (rest < values[at]!) return { at, propensity: values[at]! / sum };
    rest -= values[at]!;
  }
  return { at: best, propensity: values[best]! / sum };
}

/**
 * How popular a title is, learned from the sessions that begin: its share of all sessions is one of some levels, and each level has
 * a chance. Sessions come by Poisson's law, so one of the title makes its higher levels likelier, and one of another title its
 * lower ones. Now and then a title leaves its level for any other: a hidden Markov model, filtered forward (Rabiner 1989, §III A).
 * What many sessions say counts at once, and what a few say is drawn to what titles usually are; no half-life has to fit both.
 *
 * Time is counted in sessions of all titles, so that nights and weekends say nothing about a title.
 */
export interface Belief extends Moment {
  /** By level of `shareLevels`; together 1. */
  readonly chances: Float64Array;
}

/** A moment: its time, and how many sessions of all titles had begun. */
export interface Moment {
  /** Unix time in milliseconds. */
  readonly atMs: number;
  readonly sessions: number;
}

/** Shares of all sessions: from one in 12 million to half of them, a factor of 2√2 apart. */
export const shareLevels = Float64Array.from({ length: 16 }, (_, index) => 2 ** (-1 - 1.5 * (15 - index)));

const dayMs = 86_400_000;
// A tenth of the titles leave their level within a day. Where a fifth do, trials with 0.03 and 0.2 hit the same within 1 %.
const leavePerDay = 0.1;
// What was longer ago has no say any more.
const memoryMs = 4 * dayMs;
// Within a step a title keeps its level.
const stepMs = dayMs / 4;

const titlesMin = 4;
const exponentMax = 4;
const halvings = 40;

/**
 * What is believed of a title that nothing is known of: Zipf's law, with the exponent by which so many titles together have all
 * sessions.
 */
export function usualChances(titles: number): Float64Array {
  const wanted = 1 / Math.max(titlesMin, titles);
  let low = -exponentMax;
  let high = exponentMax;
  for (let halving = 0; halving < halvings; halving++) {
    const middle = (low + high) / 2;
    if (expectedShare(zipfChances(middle)) > wanted) low = middle;
    else high = middle;
  }
  return zipfChances(low);
}

function zipfChances(exponent: number): Float64Array {
  return normalize(shareLevels.map((level) => level ** -exponent));
}

// A forecast misses by an octave as its standard deviation.
const forecastSigmaOctaves = 1;

/** What is believed of a launch that is forecast to have such a share of all sessions, above 0. */
export function forecastChances(share: number): Float64Array {
  const misses = shareLevels.map((level) => Math.log2(level / share) / forecastSigmaOctaves);
  const least = misses.reduce((lowest, miss) => Math.min(lowest, Math.abs(miss)), Infinity);
  return normalize(misses.map((miss) => Math.exp((least ** 2 - miss ** 2) / 2)));
}

/**
 * What is believed at a later moment when no session of the title has begun since; at an earlier one the same as at its own.
 *
 * @param usual what is believed of a title that has left its level.
 */
export function beliefAt(belief: Belief, { atMs, sessions }: Moment, usual: Float64Array): Belief {
  const gapMs = Math.max(0, atMs - belief.atMs);
  const others = Math.max(0, sessions - belief.sessions);
  if (gapMs === 0 && others === 0) return belief;
  const countedMs = Math.min(gapMs, memoryMs);
  const steps = Math.max(1, Math.ceil(countedMs / stepMs));
  const leave = 1 - (1 - leavePerDay) ** (countedMs / steps / dayMs);
  const othersInStep = (others * (gapMs === 0 ? 1 : countedMs / gapMs)) / steps;
  const silences = new Float64Array(shareLevels.length);
  for (let level = 0; level < silences.length; level++)
    silences[level] = Math.exp(-othersInStep * (shareLevels[level] ?? 0));
  const chances = belief.chances.slice();
  for (let step = 0; step < steps; step++) {
    for (let level = 0; level < chances.length; level++) {
      const stayed = (1 - leave) * (chances[level] ?? 0) + leave * (usual[level] ?? 0);
      chances[level] = stayed * (silences[level] ?? 0);
    }
    normalize(chances);
  }
  return { chances, atMs: belief.atMs + gapMs, sessions: belief.sessions + others };
}

/**
 * What is believed once a session of the title has begun at the belief's moment.
 *
 * @param known a share that the title has besides: then only what exceeds it is believed.
 */
export function afterSession({ chances, atMs, sessions }: Belief, known = 0): Belief {
  const likelier = chances.slice();
  for (let level = 0; level < likelier.length; level++)
    likelier[level] = (likelier[level] ?? 0) * (known + (shareLevels[level] ?? 0));
  return { chances: normalize(likelier), atMs, sessions: sessions + 1 };
}

/** The share of all sessions that a title is expected to have. */
export function expectedShare(chances: Float64Array): number {
  let share = 0;
  for (let level = 0; level < chances.length; level++)
    share += (chances[level] ?? 0) * (shareLevels[level] ?? 0);
  return share;
}

/** In place. */
function normalize(weights: Float64Array): Float64Array {
  let sum = 0;
  for (const weight of weights) sum += weight;
  for (let level = 0; level < weights.length; level++) weights[level] = (weights[level] ?? 0) / sum;
  return weights;
}

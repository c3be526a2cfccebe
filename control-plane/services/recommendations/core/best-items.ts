/** Some titles and the score of each. */
export interface ScoredTitles {
  readonly titles: Uint32Array;
  readonly scores: Float64Array;
}

/**
 * The items of the highest scores, the best first; of equal ones the first stands first. An item with a score of −Infinity
 * is never among them.
 */
export function bestItems(scores: Float64Array, count: number): Uint32Array {
  return bestOf(scores, count).titles;
}

/** The scores of those. */
export function bestScores(scores: Float64Array, count: number): Float64Array {
  return bestOf(scores, count).scores;
}

function bestOf(scores: Float64Array, count: number): ScoredTitles {
  const best = new Best(count);
  let least = -Infinity;
  for (let item = 0; item < scores.length; item++)
    if (scores[item]! > least) least = best.add(item, scores[item]!);
  return best.found();
}

/** The best of some titles, as `bestItems`, with their scores. */
export function bestAmong(
  titles: Uint32Array | readonly number[],
  count: number,
  scoreOf: (title: number) => number,
): ScoredTitles {
  const best = new Best(Math.min(count, titles.length));
  let least = -Infinity;
  for (const title of titles) {
    const score = scoreOf(title);
    if (score > least) least = best.add(title, score);
  }
  return best.found();
}

/** Keeps the best of what it is given, in order: lists are short, and few of many get in. */
class Best {
  readonly #titles: Uint32Array;
  readonly #scores: Float64Array;
  #length = 0;

  constructor(count: number) {
    this.#titles = new Uint32Array(count);
    this.#scores = new Float64Array(count);
  }

  /**
   * Takes one that is better than the last of a full list.
   *
   * @returns what the next one must be better than
   */
  add(title: number, score: number): number {
    const titles = this.#titles;
    const scores = this.#scores;
    const last = titles.length - 1;
    if (last < 0) return Infinity;
    let place = this.#length > last ? last : this.#length++;
    for (; place > 0 && score > scores[place - 1]!; place--) {
      scores[place] = scores[place - 1]!;
      titles[place] = titles[place - 1]!;
    }
    scores[place] = score;
    titles[place] = title;
    return this.#length > last ? scores[last]! : -Infinity;
  }

  found(): ScoredTitles {
    return {
      titles: this.#titles.subarray(0, this.#length),
      scores: this.#scores.subarray(0, this.#length),
    };
  }
}

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
  const best = new Best(count);
  for (let item = 0; item < scores.length; item++) best.add(item, scores[item]!);
  return best.found().titles;
}

/** The best of some titles, as `bestItems`, with their scores. */
export function bestAmong(
  titles: Uint32Array | readonly number[],
  count: number,
  scoreOf: (title: number) => number,
): ScoredTitles {
  const best = new Best(Math.min(count, titles.length));
  for (const title of titles) best.add(title, scoreOf(title));
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

  add(title: number, score: number): void {
    const titles = this.#titles;
    const scores = this.#scores;
    const last = titles.length - 1;
    const isFull = this.#length > last;
    if (score === -Infinity || (isFull && !(score > scores[last]!))) return;
    let place = isFull ? last : this.#length++;
    for (; place > 0 && score > scores[place - 1]!; place--) {
      scores[place] = scores[place - 1]!;
      titles[place] = titles[place - 1]!;
    }
    scores[place] = score;
    titles[place] = title;
  }

  found(): ScoredTitles {
    return {
      titles: this.#titles.subarray(0, this.#length),
      scores: this.#scores.subarray(0, this.#length),
    };
  }
}

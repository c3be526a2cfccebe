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

/** The best of some titles, as `bestItems`, by the scores of all titles: without a call for each, which took most of the time. */
export function bestScored(titles: Uint32Array, count: number, scores: Float64Array): ScoredTitles {
  const best = new Best(Math.min(count, titles.length));
  let least = -Infinity;
  for (const title of titles) if (scores[title]! > least) least = best.add(title, scores[title]!);
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

/**
 * Keeps the best of what it is given: a heap with the worst of them on top, which goes when a better one comes; of equal ones the last that came
 * is the worst.
 */
class Best {
  readonly #titles: Uint32Array;
  readonly #scores: Float64Array;
  /** When each came. */
  readonly #turns: Uint32Array;
  #length = 0;
  #turn = 0;

  constructor(count: number) {
    this.#titles = new Uint32Array(count);
    this.#scores = new Float64Array(count);
    this.#turns = new Uint32Array(count);
  }

  /**
   * Takes one that is better than the worst of a full heap.
   *
   * @returns what the next one must be better than
   */
  add(title: number, score: number): number {
    const size = this.#titles.length;
    if (size === 0) return Infinity;
    // Where it is full the worst, which is the first, makes room.
    const at = this.#length < size ? this.#length++ : 0;
    this.#titles[at] = title;
    this.#scores[at] = score;
    this.#turns[at] = this.#turn++;
    if (at === 0) this.#sink();
    else this.#rise(at);
    return this.#length === size ? this.#scores[0]! : -Infinity;
  }

  /** All in order, the best first; nothing is added afterwards. */
  found(): ScoredTitles {
    const sorted = { titles: new Uint32Array(this.#length), scores: new Float64Array(this.#length) };
    while (this.#length > 0) {
      const last = --this.#length;
      sorted.titles[last] = this.#titles[0]!;
      sorted.scores[last] = this.#scores[0]!;
      this.#swap(0, last);
      this.#sink();
    }
    return sorted;
  }

  /** Brings one up from its place, above those that are better. */
  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const above = (at - 1) >> 1;
      if (!this.#isWorse(at, above)) return;
      this.#swap(at, above);
      at = above;
    }
  }

  /** Brings the first one down, below those that are worse. */
  #sink(): void {
    const length = this.#length;
    let at = 0;
    for (let below = 1; below < length; below = 2 * at + 1) {
      if (below + 1 < length && this.#isWorse(below + 1, below)) below++;
      if (!this.#isWorse(below, at)) return;
      this.#swap(below, at);
      at = below;
    }
  }

  #isWorse(one: number, other: number): boolean {
    const difference = this.#scores[one]! - this.#scores[other]!;
    return difference < 0 || (difference === 0 && this.#turns[one]! > this.#turns[other]!);
  }

  #swap(one: number, other: number): void {
    const [titles, scores, turns] = [this.#titles, this.#scores, this.#turns];
    const [title, score, turn] = [titles[one]!, scores[one]!, turns[one]!];
    titles[one] = titles[other]!;
    scores[one] = scores[other]!;
    turns[one] = turns[other]!;
    titles[other] = title;
    scores[other] = score;
    turns[other] = turn;
  }
}

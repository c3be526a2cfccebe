/** How good lists of ten are, as RecBole defines it; each a mean over the users that have something to be found. */
export interface Scores {
  readonly ndcg10: number;
  readonly recall10: number;
  readonly mrr10: number;
  readonly precision10: number;
  /** Of users who have something to be found. */
  readonly users: number;
}

/** Length of the lists that are judged. */
export const listLength = 10;

const gains = Float64Array.from({ length: listLength }, (_, place) => 1 / Math.log2(place + 2));

/** Adds users' lists up. */
export class Judge {
  #ndcg = 0;
  #recall = 0;
  #mrr = 0;
  #precision = 0;
  #users = 0;

  /**
   * Judges a list, the best first, by what the user has really met.
   *
   * @param isHit whether an item is among what was to be found, of which there are `relevant`, at least one
   */
  add(list: ArrayLike<number>, isHit: (item: number) => boolean, relevant: number): void {
    let gain = 0;
    let hits = 0;
    let first = 0;
    for (let place = 0; place < Math.min(list.length, listLength); place++) {
      if (!isHit(list[place]!)) continue;
      gain += gains[place]!;
      if (hits++ === 0) first = place + 1;
    }
    let best = 0;
    for (let place = 0; place < Math.min(relevant, listLength); place++) best += gains[place]!;
    this.#ndcg += gain / best;
    this.#recall += hits / relevant;
    this.#mrr += first === 0 ? 0 : 1 / first;
    this.#precision += hits / listLength;
    this.#users++;
  }

  /** The means; 0 where nobody was judged. */
  scores(): Scores {
    const users = Math.max(1, this.#users);
    return {
      ndcg10: this.#ndcg / users,
      recall10: this.#recall / users,
      mrr10: this.#mrr / users,
      precision10: this.#precision / users,
      users: this.#users,
    };
  }
}

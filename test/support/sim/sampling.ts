/** Chance, uniform in [0, 1). */
export type Random = () => number;

/** Draws indices by given weights in constant time (Vose, "A linear algorithm for generating random numbers with a given distribution", 1991). */
export class AliasTable {
  readonly #keep: Float64Array;
  /** Itself, where no other index fills up its share. */
  readonly #alias: Uint32Array;

  constructor(weights: readonly number[]) {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const keep = Float64Array.from(weights, (weight) => (weight * weights.length) / sum);
    this.#keep = keep;
    this.#alias = Uint32Array.from(weights, (_, index) => index);
    const small: number[] = [];
    const large: number[] = [];
    keep.forEach((share, index) => (share < 1 ? small : large).push(index));
    for (;;) {
      const low = small.pop();
      const high = large.pop();
      if (low === undefined || high === undefined) return;
      this.#alias[low] = high;
      keep[high]! += keep[low]! - 1;
      (keep[high]! < 1 ? small : large).push(high);
    }
  }

  draw(random: Random): number {
    const at = random() * this.#keep.length;
    const index = Math.floor(at);
    return at - index < this.#keep[index]! ? index : this.#alias[index]!;
  }
}

/** Zipf's shares: proportional to 1 ÷ rank^alpha, ranks from 1, together 1. */
export function zipfShares(count: number, alpha: number): number[] {
  const weights = Array.from({ length: count }, (_, index) => (index + 1) ** -alpha);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Puts the items into random order, in place (Fisher and Yates). */
export function shuffle(items: number[], random: Random): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const item = items[last]!;
    items[last] = items[other]!;
    items[other] = item;
  }
}

/** A factor whose logarithm to base 2 is normal with the given deviation: 1 in the middle. */
export function lognormalFactor(sigmaOctaves: number, random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return 2 ** (sigmaOctaves * normal);
}

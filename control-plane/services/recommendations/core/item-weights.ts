import { bestScores } from './best-items.ts';

/** How much each item speaks for others: the kept weights of every item in compressed rows, as `Interactions` are. */
export interface ItemWeights {
  readonly items: number;
  readonly offsets: Uint32Array;
  readonly itemOf: Uint32Array;
  readonly weights: Float32Array;
}

/**
 * Keeps of each item's weights the strongest, whatever their sign; never its own, and none that is 0.
 *
 * @param perItem how many of an item
 * @param rowOf the weights of an item for every other; the next call may write over them
 */
export function strongest(
  items: number,
  perItem: number,
  rowOf: (item: number) => Float64Array,
): ItemWeights {
  const kept = Math.min(perItem, Math.max(0, items - 1));
  const itemOf = new Uint32Array(items * kept);
  const weights = new Float32Array(items * kept);
  const offsets = new Uint32Array(items + 1);
  let length = 0;
  for (let item = 0; item < items; item++) {
    const row = rowOf(item);
    row[item] = 0;
    const least = leastKept(row, kept);
    const end = length + kept;
    for (let other = 0; other < items && length < end; other++) {
      const weight = row[other]!;
      if (weight === 0 || Math.abs(weight) < least) continue;
      itemOf[length] = other;
      weights[length++] = weight;
    }
    offsets[item + 1] = length;
  }
  return { items, offsets, itemOf: itemOf.slice(0, length), weights: weights.slice(0, length) };
}

/** The strength that so many of a row reach. */
function leastKept(row: Float64Array, kept: number): number {
  if (kept >= row.length - 1) return 0;
  return bestScores(row.map(Math.abs), kept).at(-1) ?? 0;
}

/** How much one item speaks for another; 0 where that was not kept. */
export function weightBetween({ offsets, itemOf, weights }: ItemWeights, from: number, to: number): number {
  let low = offsets[from]!;
  let high = offsets[from + 1]!;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (itemOf[middle]! < to) low = middle + 1;
    else high = middle;
  }
  return low < offsets[from + 1]! && itemOf[low] === to ? weights[low]! : 0;
}

/** Adds to `scores`, one for each item, what the items that a user has met speak for. */
export function addScores(
  { offsets, itemOf, weights }: ItemWeights,
  met: { readonly itemOf: Uint32Array; readonly weights: Float32Array },
  scores: Float64Array,
): void {
  for (const [at, item] of met.itemOf.entries()) {
    const told = met.weights[at]!;
    const end = offsets[item + 1]!;
    for (let place = offsets[item]!; place < end; place++) scores[itemOf[place]!]! += told * weights[place]!;
  }
}

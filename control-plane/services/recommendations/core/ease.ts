import { strongest, type ItemWeights } from './item-weights.ts';
import { invert, placeOf, type TiledMatrix } from './tiled-matrix.ts';
import type { Work } from './work.ts';

/**
 * EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019): the linear model that foretells each item of a
 * user from all the others, in closed form: B = I − P·diag(P)⁻¹ with P = (XᵀX + λI)⁻¹.
 *
 * @param gram XᵀX; P stands in its place afterwards
 * @param lambda how strongly weights are held down, above 0
 * @param perItem how many weights of an item are kept, the strongest
 * @throws RangeError where λ is so small that rounding makes the matrix singular
 */
export function* easeWeights(
  gram: TiledMatrix,
  { lambda, perItem }: { lambda: number; perItem: number },
): Work<ItemWeights> {
  const { side, values } = gram;
  for (let item = 0; item < side; item++) values[placeOf(item, item)]! += lambda;
  if (!(yield* invert(gram))) throw new RangeError(`λ ${lambda} leaves the matrix of items singular`);
  const row = new Float64Array(side);
  return strongest(side, perItem, (item) => {
    for (let other = 0; other < side; other++) {
      const place = item > other ? placeOf(item, other) : placeOf(other, item);
      row[other] = -values[place]! / values[placeOf(other, other)]!;
    }
    return row;
  });
}

import { transposed, type Interactions } from './interactions.ts';
import { createTiledMatrix, placeOf, type TiledMatrix } from './tiled-matrix.ts';
import type { Work } from './work.ts';

const itemsPerStep = 32;

/**
 * How often two items go together: XᵀX of a matrix of interactions. One row of it at a time is added up where it stays in
 * a near cache: over those who have met the item, what else they have met.
 */
export function* gramOf(interactions: Interactions): Work<TiledMatrix> {
  const { items, offsets, itemOf, weights } = interactions;
  const byItem = transposed(interactions);
  const gram = createTiledMatrix(items);
  const row = new Float64Array(items);
  for (let item = 0; item < items; item++) {
    row.fill(0, 0, item + 1);
    for (let met = byItem.offsets[item]!; met < byItem.offsets[item + 1]!; met++) {
      const user = byItem.itemOf[met]!;
      const weight = byItem.weights[met]!;
      const end = offsets[user + 1]!;
      for (let at = offsets[user]!; at < end && itemOf[at]! <= item; at++)
        row[itemOf[at]!]! += weight * weights[at]!;
    }
    for (let other = 0; other <= item; other++) gram.values[placeOf(item, other)] = row[other]!;
    if (item % itemsPerStep === 0) yield item / items;
  }
  return gram;
}

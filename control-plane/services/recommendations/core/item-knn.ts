import { strongest, type ItemWeights } from './item-weights.ts';
import { placeOf, type TiledMatrix } from './tiled-matrix.ts';

/**
 * Items that the same people meet: the cosine of two items' columns, held down where few have met them (Deshpande and
 * Karypis, "Item-based top-N recommendation", 2004; the shrinkage of Bell and Koren, 2007).
 *
 * @param gram XᵀX, which is left as it is
 * @param shrink added below the line: as many meetings as it takes to be believed by half
 */
export function itemKnnWeights(
  { side, values }: TiledMatrix,
  { shrink, perItem }: { shrink: number; perItem: number },
): ItemWeights {
  const row = new Float64Array(side);
  const length = Float64Array.from({ length: side }, (_, item) => Math.sqrt(values[placeOf(item, item)]!));
  return strongest(side, perItem, (item) => {
    for (let other = 0; other < side; other++) {
      const together = values[item > other ? placeOf(item, other) : placeOf(other, item)]!;
      row[other] = together === 0 ? 0 : together / (length[item]! * length[other]! + shrink);
    }
    return row;
  });
}

/**
 * The items of the highest scores, the best first; of equal ones the first stands first. An item with a score of −Infinity
 * is never among them.
 */
export function bestItems(scores: Float64Array, count: number): Uint32Array {
  const items = new Uint32Array(count);
  const best = new Float64Array(count);
  let length = 0;
  for (let item = 0; item < scores.length; item++) {
    const score = scores[item]!;
    if (score === -Infinity || (length === count && !(score > best[count - 1]!))) continue;
    let place = length < count ? length++ : count - 1;
    for (; place > 0 && score > best[place - 1]!; place--) {
      best[place] = best[place - 1]!;
      items[place] = items[place - 1]!;
    }
    best[place] = score;
    items[place] = item;
  }
  return items.subarray(0, length);
}

/** Up to so many are sorted where they stand. */
const FEW = 16;

/**
 * Sorts as `Array.prototype.sort` does, stably and in place. A few, as there are for each request of a player, without the memory that
 * takes (a kilobyte each time).
 */
export function sortFew<T extends object | number>(items: T[], compare: (a: T, b: T) => number): T[] {
  if (items.length > FEW) return items.sort(compare);
  for (let from = 1; from < items.length; from++) {
    const item = items[from];
    if (item === undefined) continue;
    let at = from;
    for (; at > 0; at--) {
      const before = items[at - 1];
      if (before === undefined || compare(before, item) <= 0) break;
      items[at] = before;
    }
    items[at] = item;
  }
  return items;
}

import type { PlacementCatalog } from './catalog.ts';
import type { ClusterPlacement } from './place-cluster.ts';

// With less of what viewers want of a bundle, most of them would only be led on.
const offeredShareMin = 0.25;

/**
 * Bundles that a box which leads on may be a way to, once it holds what is planned: the whole ones, and those of which a quarter or more of
 * the bytes that viewers want is planned there.
 *
 * @param popularity by file, as it was placed by.
 * @returns the numbers of the bundles, ascending.
 */
export function offeredBundles(
  box: number,
  { ledger, wishes }: Pick<ClusterPlacement, 'ledger' | 'wishes'>,
  { catalog, popularity }: { catalog: PlacementCatalog; popularity: Float64Array },
): number[] {
  const { bundleCount, starts, memberFiles, fileBytes } = catalog;
  const isEnough = (bundle: number): boolean => {
    let demand = 0;
    const end = starts[bundle + 1] ?? 0;
    for (let member = starts[bundle] ?? 0; member < end; member++) {
      const file = memberFiles[member] ?? 0;
      if (ledger.placed.has(file, box)) demand += (popularity[file] ?? 0) * (fileBytes[file] ?? 0);
    }
    return demand > 0 && demand >= offeredShareMin * (wishes.demands[bundle] ?? 0);
  };
  const offered: number[] = [];
  for (let bundle = 0; bundle < bundleCount; bundle++) {
    if (!ledger.isBegun(bundle, box)) continue;
    if (ledger.isWhole(bundle, box) || isEnough(bundle)) offered.push(bundle);
  }
  return offered;
}

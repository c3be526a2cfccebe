import type { ApplianceColumns } from './view.ts';

// What a map says of an appliance, in one byte; above these its dead families.
export const IS_ORIGIN = 1;
const IS_OPEN = 2;
export const MAY_FETCH = 4;
export const HAS_ROUTES = 8;
export const DEAD_FAMILIES_SHIFT = 4;

/** The trait without which nobody is served by a route of the box, or where it has none to the client. */
export function reachBy(isRouted: boolean): number {
  return isRouted ? HAS_ROUTES : IS_OPEN;
}

/** What a map says of each appliance. */
export function traitsOf({
  isOrigin,
  open,
  mayFetch,
  hasRoutes,
  deadFamilies,
}: ApplianceColumns): Uint8Array {
  return isOrigin.map(
    (origin, index) =>
      (origin === 1 ? IS_ORIGIN : 0) |
      (open[index] === 1 ? IS_OPEN : 0) |
      (mayFetch[index] === 1 ? MAY_FETCH : 0) |
      (hasRoutes[index] === 1 ? HAS_ROUTES : 0) |
      ((deadFamilies[index] ?? 0) << DEAD_FAMILIES_SHIFT),
  );
}

/** Where a column is 1. */
export function indexesWith(column: Uint8Array): Uint16Array {
  return Uint16Array.from([...column.keys()].filter((index) => column[index] === 1));
}

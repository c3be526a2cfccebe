import { widthOf } from '../../common/core/ip-address.ts';
import type { FamilyRoutes } from '../../common/core/route-table.ts';

/** What of a family's routes is a default route in parts. */
export interface DefaultParts {
  /** Rows of prefixes that are larger than any network. */
  readonly huge: readonly number[];
  /** All routes together reach more than anybody's network does. */
  readonly reachesAll: boolean;
}

/**
 * No network is larger: IANA gave IPv4 in /8, and gives registries IPv6 in /12
 * (https://www.iana.org/numbers).
 */
const networkBitsMin: Readonly<Record<4 | 6, number>> = { 4: 8, 6: 12 };

/**
 * What all routes of the Internet together stay below. Of IPv4 they reach some 71 % of all addresses, and 13 % of them may not be routed at
 * all; of IPv6, where 2000::/3 is what may be routed, far below one percent.
 */
const shareMax: Readonly<Record<4 | 6, number>> = { 4: 0.8, 6: 0.5 };

const word = 2 ** 32;
/** Where routable addresses begin and end, as numbers of 32 bits for IPv4 and of the first 64 for IPv6. */
const routable: Readonly<Record<4 | 6, readonly [number, number]>> = {
  4: [0, word],
  6: [0x2000_0000 * word, 0x4000_0000 * word],
};

/** Finds a default route that is told in parts, as 0.0.0.0/1 and 128.0.0.0/1, or as many prefixes that leave next to nothing out. Linear time. */
export function findDefaultParts(routes: FamilyRoutes): DefaultParts {
  const { family, lengths } = routes;
  const bitsMin = networkBitsMin[family];
  const huge: number[] = [];
  for (let row = 0; row < lengths.length; row++) if ((lengths[row] ?? 0) < bitsMin) huge.push(row);
  return { huge, reachesAll: reachedShare(routes) > shareMax[family] };
}

/** The share of the routable addresses of a family that any of its routes reaches; of IPv6 by the first 64 bits. */
export function reachedShare({ family, words, lengths }: FamilyRoutes): number {
  const stride = widthOf(family) / 32;
  const bits = family === 4 ? 32 : 64;
  const [from, to] = routable[family];
  let reached = 0;
  // In order of address, then length: what begins before the end of an earlier one lies inside of it.
  let end = from;
  for (let row = 0; row < lengths.length; row++) {
    const first = words[row * stride] ?? 0;
    const start = family === 4 ? first : first * word + (words[row * stride + 1] ?? 0);
    if (start >= to) break;
    const behind = Math.min(to, start + 2 ** (bits - (lengths[row] ?? 0)));
    if (behind <= end) continue;
    reached += behind - Math.max(start, end);
    end = behind;
  }
  return reached / (to - from);
}

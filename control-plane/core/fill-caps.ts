/** What several boxes may fill with together. */
export interface SharedCap {
  readonly bytesPerSecond: number;
  /** Those that are away included, or one that comes back would break it. */
  readonly boxes: number;
}

/** The part of each box: equal parts, whole bytes, at least one; a cap of nothing would be a fill that never ends. */
export function capShare({ bytesPerSecond, boxes }: SharedCap): number {
  return Math.max(1, Math.floor(bytesPerSecond / Math.max(1, boxes)));
}

/** The lowest of a box's parts; undefined where there is no cap at all. */
export function lowestShare(caps: readonly (SharedCap | undefined)[]): number | undefined {
  const shares = caps.filter((cap) => cap !== undefined).map(capShare);
  return shares.length === 0 ? undefined : Math.min(...shares);
}

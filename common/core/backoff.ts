/** Waits between tries that fail, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** How long to wait after so many failures beyond the first: twice as long each time, up to the longest. */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number): number {
  return Math.min(maxMs, firstMs * 2 ** failures);
}

/** The same with up to half of it taken off by chance, so that many who failed in one moment do not come back together. */
export function spreadBackoffMs(
  waits: Backoff,
  failures: number,
  chance: { readonly fraction: () => number },
): number {
  return backoffMs(waits, failures) * (0.5 + chance.fraction() / 2);
}

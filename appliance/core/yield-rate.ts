import type { LoadLevel } from './judge-load.ts';

/** How far fill has stepped back for viewers; undefined while it has not. */
export type Yielding = { readonly bytesPerSecond: number; readonly freeFrom: number } | undefined;

/** What is left of a fill however busy the box is, so that sources do not cut its connections as stalled. */
const bytesPerSecondMin = 256 * 1024;
/** Back at this much of what it was before, fill is free again. */
const freeFactor = 2;
const growth = 1.25;

/**
 * The rate that fill is held to, looked at four times a second; pure. Busy halves it each time, a box that refuses new
 * sessions leaves the minimum; calm, it grows by a quarter each time (multiplicative both ways: the rate that hurts is not
 * known, and it may be anywhere between a laptop's and a data centre's).
 *
 * @param measured what fill has brought since the last look, in bytes a second.
 */
export function yieldTo(level: LoadLevel, before: Yielding, measured: number): Yielding {
  if (level === 'normal') {
    if (before === undefined) return undefined;
    const bytesPerSecond = before.bytesPerSecond * growth;
    return bytesPerSecond >= before.freeFrom ? undefined : { ...before, bytesPerSecond };
  }
  const freeFrom = before?.freeFrom ?? Math.max(bytesPerSecondMin, measured) * freeFactor;
  const from = before?.bytesPerSecond ?? measured;
  const bytesPerSecond = level === 'shed-fill' ? Math.max(bytesPerSecondMin, from / 2) : bytesPerSecondMin;
  return { bytesPerSecond, freeFrom };
}

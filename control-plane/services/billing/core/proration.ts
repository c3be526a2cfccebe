import { share } from '../../../../common/core/money.ts';
import type { Period } from './calendar.ts';

/**
 * What of a period's price falls on the time from its beginning to `atMs`, by elapsed milliseconds, in minor units; nothing before
 * the period, all of it after.
 */
export function earnedBy(price: number, period: Period, atMs: number): number {
  const lengthMs = period.endMs - period.startMs;
  const elapsedMs = Math.min(Math.max(atMs - period.startMs, 0), lengthMs);
  return share(price, elapsedMs, lengthMs);
}

/**
 * What of a period's price falls on a part of it. As the difference of two sums from the beginning, so that the parts of a period,
 * however it is cut, sum to its price exactly, and a credit for the rest of it with a charge for the same rest is nothing.
 */
export function priceOfPart(price: number, period: Period, part: Period): number {
  return earnedBy(price, period, part.endMs) - earnedBy(price, period, part.startMs);
}

import { daysLater } from './calendar.ts';

/** Days from one attempt that failed to the next: the last comes before the subscription ends (`paymentDays` and `graceDays`). */
const waitDays = [1, 3, 5, 7] as const;

/** When a payment that has failed is tried again; never where the same way of paying will not do, or it was tried often enough. */
export function nextAttemptMs(
  failed: { attempt: number; isFinal: boolean; atMs: number },
  timeZone: string,
): number | undefined {
  const days = failed.isFinal ? undefined : waitDays[failed.attempt];
  return days === undefined ? undefined : daysLater(failed.atMs, { days, timeZone });
}

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** How long to wait for a provider that could not be reached so many times in a row: a minute, twice as long each time, an hour at most. */
export function unreachedWaitMs(times: number): number {
  return Math.min(hourMs, minuteMs * 2 ** Math.min(times - 1, 10));
}

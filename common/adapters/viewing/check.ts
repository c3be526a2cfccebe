import type { ViewingRows } from '../../core/viewing-state.ts';
import { coded } from '../../runtime/errors.ts';

const ROWS_MAX = 10_000;
const PAGE_MAX = 1000;
const idPattern = /^[!-~]{1,64}$/;

/** Passes ids that every engine keeps and orders alike, else throws INVALID. */
export function checkIds(...ids: readonly string[]): void {
  for (const id of ids)
    if (!idPattern.test(id)) throw coded('INVALID', `${JSON.stringify(id.slice(0, 80))} is no id`);
}

/** Passes the length of a page, else throws INVALID. */
export function checkLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > PAGE_MAX)
    throw coded('INVALID', `a page has 1 to ${PAGE_MAX} rows`);
  return limit;
}

/** Passes rows that may be joined, else throws INVALID: nothing of them is written then. */
export function checkRows({ registers, entries }: ViewingRows): void {
  if (registers.length + entries.length > ROWS_MAX)
    throw coded('INVALID', `more than ${ROWS_MAX} rows at once`);
  for (const { profileId, titleId, stamp, value } of registers) {
    checkIds(profileId, titleId, stamp.deviceId);
    checkNumbers(stamp.atMs, stamp.sequence, value);
  }
  for (const { profileId, viewingId, titleId, stamp, startedAtMs, positionMs, watchedMs } of entries) {
    checkIds(profileId, viewingId, titleId, stamp.deviceId);
    checkNumbers(stamp.atMs, stamp.sequence, startedAtMs, positionMs, watchedMs);
  }
}

function checkNumbers(...numbers: readonly number[]): void {
  if (!numbers.every((number) => Number.isSafeInteger(number)))
    throw coded('INVALID', 'times, positions and values are whole numbers');
}

import { createHash } from 'node:crypto';
import type { ViewingReport } from '../../../../common/contract/viewing.ts';
import { ratingValues, type RegisterKind, type ViewingRows } from '../../../../common/core/viewing-state.ts';

/** What stands for a device in a profile's rows: who reads them cannot tell whose it is elsewhere. */
export function deviceKey(profileId: string, deviceId: string): string {
  return createHash('sha256').update(`${profileId}\0${deviceId}`).digest('base64url').slice(0, 16);
}

/** A report as the rows that are to be joined; `deviceId` is what `deviceKey` gave. */
export function rowsOfReport(
  report: ViewingReport,
  by: { profileId: string; deviceId: string },
): ViewingRows {
  const { profileId, deviceId } = by;
  const { titleId, atMs, sequence } = report;
  const stamp = { atMs, deviceId, sequence };
  const register = (kind: RegisterKind, value: number) => ({ profileId, kind, titleId, stamp, value });
  switch (report.kind) {
    case 'progress': {
      const { viewingId, startedAtMs, positionMs, watchedMs } = report;
      return {
        registers: [register('progress', positionMs)],
        entries: [{ profileId, startedAtMs, viewingId, titleId, stamp, positionMs, watchedMs }],
      };
    }
    case 'list':
      return { registers: [register('list', report.listed ? 1 : 0)], entries: [] };
    case 'rating':
      return { registers: [register('rating', ratingValues[report.rating])], entries: [] };
    case 'forget':
      return { registers: [register('forgotten', 0)], entries: [] };
    case 'hide':
      return { registers: [register('hidden', report.hidden ? 1 : 0)], entries: [] };
  }
}

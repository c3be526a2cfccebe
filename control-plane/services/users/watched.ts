import type { Viewing } from '../../../common/adapters/viewing/port.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type { ViewingBatch, ViewingBatchReply } from '../../../common/contract/viewing.ts';
import { joinRows, type ViewingRows } from '../../../common/core/viewing-state.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { clockErrorMsMax, judgeReport, viewingsKeptMs, type WatchedTitle } from './core/judge-report.ts';
import { deviceKey, rowsOfReport } from './core/report-rows.ts';
import { titlesById, type UserTitles } from './ports.ts';
import { readWatched, type WatchedReading } from './watched-reading.ts';

/** What profiles watch. */
export interface Watched extends WatchedReading {
  /**
   * Keeps what a device reports; what is refused is said for each report, and of what the viewer may not have, if one is named, as of
   * what is not there. PROFILE_UNKNOWN when the profile goes meanwhile;
   * DEVICE_CLOCK_WRONG, then nothing is kept and the device shall say the times anew.
   */
  report(profileId: string, batch: ViewingBatch, viewer?: Viewer): Promise<ViewingBatchReply>;
  /** Removes all of a profile. */
  erase(profileId: string): Promise<void>;
  /** Removes viewings that are older than is kept. */
  prune(): Promise<void>;
}

export interface WatchedOptions {
  viewing: Viewing;
  titles: UserTitles;
  /** Whether there still is a profile. */
  exists: (profileId: string) => Promise<boolean>;
  clock: Clock;
}

/** Opens what profiles watch. */
export function createWatched({ viewing, titles, exists, clock }: WatchedOptions): Watched {
  return {
    async report(profileId, batch, viewer) {
      const ids = batch.reports.map(({ titleId }) => titleId);
      const found = await titlesById(titles, ids, viewer);
      const { rows, refused } = judged(profileId, batch, { titles: found, nowMs: clock.nowMs() });
      await viewing.join(rows);
      // Asked after writing: whoever removes the profile erases what was written before, and this what was written after.
      if (!(await exists(profileId))) {
        await viewing.erase(profileId);
        throw coded('PROFILE_UNKNOWN', profileId);
      }
      return { accepted: batch.reports.length - refused.length, refused };
    },
    ...readWatched({ viewing, titles }),
    erase: (profileId) => viewing.erase(profileId),
    async prune() {
      while ((await viewing.prune(clock.nowMs() - viewingsKeptMs)) > 0);
    },
  };
}

function judged(
  profileId: string,
  { deviceId, sentAtMs, reports }: ViewingBatch,
  { titles, nowMs }: { titles: ReadonlyMap<string, WatchedTitle>; nowMs: number },
): { rows: ViewingRows; refused: ViewingBatchReply['refused'] } {
  if (Math.abs(sentAtMs - nowMs) > clockErrorMsMax)
    throw coded('DEVICE_CLOCK_WRONG', `it is ${new Date(nowMs).toISOString()} here`);
  const by = { profileId, deviceId: deviceKey(profileId, deviceId) };
  const rows: ViewingRows[] = [];
  const refused: ViewingBatchReply['refused'] = [];
  for (const [index, report] of reports.entries()) {
    const result = judgeReport(report, { sentAtMs, title: titles.get(report.titleId) });
    if (result.ok) rows.push(rowsOfReport(result.value, by));
    else refused.push({ index, code: result.code, detail: result.detail });
  }
  // A device that was offline has said much of the same title: only the latest is written.
  return { rows: joinRows(...rows), refused };
}

import type { ViewingReport } from '../../../../common/contract/viewing.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';

/** What is known of the title that a report is about. */
export interface WatchedTitle {
  readonly name: string;
  /** Absent until it is encoded. */
  readonly durationMs?: number | undefined;
}

/** A device may be off by so much; more, and the latest of what people did could not be told. */
export const clockErrorMsMax = 60_000;

/** Reports of what was longer ago are refused, and viewings that began longer ago are removed. */
export const viewingsKeptMs = 3 * 366 * 86_400_000;

// Players report the end a little late; more is another title's.
const beyondEndMsMax = 10_000;

/**
 * Passes a report, within what can be: a position a little beyond the end is the end, and nobody has watched for longer than since the
 * start. The batch was sent at `sentAtMs`, which is within `clockErrorMsMax` of our clock, so nothing comes from the future. Refuses
 * TITLE_UNKNOWN, TITLE_NOT_LIVE, POSITION_BEYOND_END, VIEWING_TIME_INVALID. Of the same report and title it says the same at every call.
 */
export function judgeReport(
  report: ViewingReport,
  { sentAtMs, title }: { sentAtMs: number; title: WatchedTitle | undefined },
): Result<ViewingReport> {
  if (title === undefined) return refused('TITLE_UNKNOWN', report.titleId);
  if (report.atMs > sentAtMs) return refused('VIEWING_TIME_INVALID', 'it is later than the batch was sent');
  if (report.atMs < sentAtMs - viewingsKeptMs)
    return refused('VIEWING_TIME_INVALID', 'it is from more than three years ago');
  if (report.kind !== 'progress') return ok(report);
  const { atMs, startedAtMs, positionMs, watchedMs } = report;
  const { durationMs } = title;
  if (durationMs === undefined) return refused('TITLE_NOT_LIVE', 'it was never to be watched');
  if (startedAtMs > atMs) return refused('VIEWING_TIME_INVALID', 'the viewing begins after the report');
  if (positionMs > durationMs + beyondEndMsMax)
    return refused('POSITION_BEYOND_END', `the title ends at ${durationMs} ms`);
  return ok({
    ...report,
    positionMs: Math.min(positionMs, durationMs),
    watchedMs: Math.min(watchedMs, atMs - startedAtMs),
  });
}

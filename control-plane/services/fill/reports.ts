import type { RecordOperation, Records } from '../../../common/adapters/records/port.ts';
import type { FillReport } from '../../../common/contract/fill.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { hashSecret } from '../../../common/runtime/keys.ts';
import { createTurns } from '../turns.ts';
import { openReportRecords, type ReportRecord } from './records.ts';

const keptMs = 7 * 86_400_000;
const reportsMax = 20_000;
const pruneStep = 200;
const pruneEvery = 50;

/** What appliances have said about their fills. */
export interface Reports {
  /** Stores a report; the same again changes nothing. */
  add(nodeId: string, report: FillReport): Promise<void>;
  /** Reports received in a time, oldest first. */
  between(sinceMs: number, untilMs: number): AsyncGenerator<ReportRecord, void, undefined>;
}

interface Pruned {
  operations: RecordOperation[];
  count: number;
}
const none: Pruned = { operations: [], count: 0 };

/** Opens the fill reports: kept for a week, at most 20,000. */
export function createReports({ records, clock }: { records: Records; clock: Clock }): Reports {
  const store = openReportRecords(records);
  const inTurn = createTurns();

  const add = async (nodeId: string, report: FillReport): Promise<void> => {
    const id = hashSecret(report.id).slice(0, 22);
    const seenKey = `${nodeId}/${id}`;
    if ((await store.seen.get(seenKey)) !== undefined) return;
    const receivedAtMs = clock.nowMs();
    const reportKey = `${timeKey(receivedAtMs)}/${seenKey}`;
    const { manifestSequence, outcomes } = report;
    const count = (await store.counts.get('reports'))?.value.count ?? 0;
    // What is over the bounds goes in steps, so that a report seldom pays for it.
    const pruned = count % pruneEvery === 0 || count >= reportsMax ? await prune(count, receivedAtMs) : none;
    await store.all.commit([
      store.reports.putOperation(reportKey, { nodeId, receivedAtMs, manifestSequence, outcomes }),
      store.seen.putOperation(seenKey, { reportKey }),
      ...pruned.operations,
      store.counts.putOperation('reports', { count: count + 1 - pruned.count }),
    ]);
  };

  const prune = async (count: number, nowMs: number): Promise<Pruned> => {
    const oldest = await store.reports.scan({ limit: pruneStep });
    // Half a step below the bound, or every report would prune from then on.
    const over = count >= reportsMax ? pruneStep / 2 : 0;
    const gone = oldest.filter(({ value }, index) => index < over || value.receivedAtMs < nowMs - keptMs);
    const operations = gone.flatMap(({ key }) => [
      store.reports.removeOperation(key),
      store.seen.removeOperation(key.slice(key.indexOf('/') + 1)),
    ]);
    return { operations, count: gone.length };
  };

  return {
    // The count is read and written with each.
    add: (nodeId, report) => inTurn(() => add(nodeId, report)),
    async *between(sinceMs, untilMs) {
      let after = timeKey(sinceMs);
      for (;;) {
        const page = await store.reports.scan({ after, limit: 500 });
        for (const { value } of page) {
          if (value.receivedAtMs > untilMs) return;
          yield value;
        }
        const [end] = page.slice(-1);
        if (end === undefined) return;
        after = end.key;
      }
    },
  };
}

/** A time as text in the order of time. */
function timeKey(ms: number): string {
  return String(Math.max(0, Math.floor(ms))).padStart(16, '0');
}

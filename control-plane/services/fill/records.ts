import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records, RecordValue } from '../../../common/adapters/records/port.ts';
import { FillOutcome } from '../../../common/contract/fill.ts';
import { NodeId, Sequence, TimeMs } from '../../../common/contract/primitives.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

export const ReportRecord = Type.Object({
  nodeId: NodeId,
  receivedAtMs: TimeMs,
  manifestSequence: Sequence,
  outcomes: Type.Array(FillOutcome),
});
export type ReportRecord = Static<typeof ReportRecord>;

const SeenRecord = Type.Object({ reportKey: Type.String() });
const CountRecord = Type.Object({ count: Type.Integer({ minimum: 0 }) });

/** The collections of fill reports. */
export interface ReportRecords {
  all: Records;
  /** By time, node and a hash of the report's id. */
  reports: Collection<ReportRecord>;
  /** Which reports came already, by node and hash of their id. */
  seen: Collection<Static<typeof SeenRecord>>;
  /** How many reports there are, under `reports`. */
  counts: Collection<Static<typeof CountRecord>>;
}

/** Opens the collections of fill reports. */
export function openReportRecords(records: Records): ReportRecords {
  const open = <T extends RecordValue>(name: string, parse: (value: unknown) => T) =>
    openCollection<T>(records, name, parse);
  return {
    all: records,
    reports: open('reports', (value) =>
      parseAs(ReportRecord, value, { what: 'the record of a fill report' }),
    ),
    seen: open('report-ids', (value) => parseAs(SeenRecord, value, { what: 'the record of a report id' })),
    counts: open('report-counts', (value) => parseAs(CountRecord, value, { what: 'the count of reports' })),
  };
}

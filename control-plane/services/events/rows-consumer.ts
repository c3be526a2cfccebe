import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { RowsDimension, RowsReport } from '../../../common/contract/rows-report.ts';
import { Type } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { addRows, noRows, rowsLine, rowsPlaces, type RowsSums } from './core/rows-sums.ts';
import { DailyConsumer, type DailyScope } from './daily-consumer.ts';
import type { ConsumerDependencies } from '../log-follower.ts';

const Count = Type.Number({ minimum: 0 });
const RowsRecord = Type.Object({ shown: Count, chosen: Count, shownWeight: Count, chosenWeight: Count });

export type RowsScope = DailyScope<RowsDimension>;

const linesMax = 1000;

/** Adds up what was shown and chosen of rows. */
export class RowsConsumer extends DailyConsumer<'impression', RowsSums> {
  constructor(deps: ConsumerDependencies) {
    super(deps, {
      ...{ consumer: 'rows', what: 'it is added up what was chosen of rows', type: 'impression' },
      sums: openCollection(deps.records, 'rows-sums', (value) =>
        parseAs(RowsRecord, value, { what: 'what was chosen of rows', code: 'STORE_CORRUPT' }),
      ),
      ...{ none: noRows, add: addRows, placing: async () => rowsPlaces },
    });
  }

  /** What became of rows in the last days. */
  async report({ by, days }: RowsScope): Promise<RowsReport> {
    const { sinceMs, untilMs, byName } = await this.sums.of(by, days);
    const rows = [...byName]
      .map(([name, sums]) => rowsLine(name, sums))
      .sort((one, other) => other.impressions - one.impressions || (one.name < other.name ? -1 : 1));
    return { by, sinceMs, untilMs, rows: rows.slice(0, linesMax) };
  }
}

import type { EventData } from '../../../../common/contract/event-log.ts';
import type { RowsDimension, RowsReportLine } from '../../../../common/contract/rows-report.ts';

/** What became of titles in rows, added up; weights are 1 ÷ propensity. */
export interface RowsSums {
  readonly shown: number;
  readonly chosen: number;
  readonly shownWeight: number;
  readonly chosenWeight: number;
}

/** Nothing yet. */
export const noRows: RowsSums = { shown: 0, chosen: 0, shownWeight: 0, chosenWeight: 0 };

/** One title weighs no more than so many, or a single unlikely one would decide a report. */
const weightMax = 100;

/** Adds two sums up. */
export function addRows(one: RowsSums, other: RowsSums): RowsSums {
  return {
    shown: one.shown + other.shown,
    chosen: one.chosen + other.chosen,
    shownWeight: one.shownWeight + other.shownWeight,
    chosenWeight: one.chosenWeight + other.chosenWeight,
  };
}

/** What an event adds, and where: once for each dimension. */
export function rowsPlaces({
  action,
  row,
  model,
  titles,
}: EventData<'impression'>): { by: RowsDimension; name: string; sums: RowsSums }[] {
  return titles.flatMap(({ place, propensity }) => {
    const weight = Math.min(weightMax, 1 / propensity);
    const sums =
      action === 'shown'
        ? { ...noRows, shown: 1, shownWeight: weight }
        : { ...noRows, chosen: 1, chosenWeight: weight };
    return [
      { by: 'row' as const, name: row, sums },
      { by: 'place' as const, name: String(place), sums },
      { by: 'model' as const, name: model ?? 'none', sums },
    ];
  });
}

/** A line of a report. */
export function rowsLine(
  name: string,
  { shown, chosen, shownWeight, chosenWeight }: RowsSums,
): RowsReportLine {
  return {
    ...{ name, impressions: shown, choices: chosen },
    ...(shown > 0 && { clickThrough: chosen / shown, clickThroughAlike: chosenWeight / shownWeight }),
  };
}

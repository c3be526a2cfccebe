import type { SavingsReport } from '../../../../common/contract/savings.ts';

/** What a box has served and fetched in a day (UTC): by the hour where its peak counts. */
export interface SavingsDay {
  readonly playBytes: readonly number[];
  /** Of these, those of pictures; absent in days of before. */
  readonly pictureBytes?: number;
  readonly filledBytes: readonly number[];
  readonly fillBytes: number;
  /** To viewers, of files that nobody at the site had asked for before. */
  readonly newBytes: number;
  readonly reports: number;
  readonly missingReports: number;
}

/** A box's day with its name and the number of the day since 1970. */
export interface SavingsOfBox {
  readonly id: string;
  readonly day: number;
  readonly sums: SavingsDay;
}

export const hoursOfDay = 24;
const hourS = 3600;

/** A day of nothing. */
export const noSavings: SavingsDay = {
  playBytes: Array.from({ length: hoursOfDay }, () => 0),
  filledBytes: Array.from({ length: hoursOfDay }, () => 0),
  ...{ fillBytes: 0, newBytes: 0, reports: 0, missingReports: 0 },
};

/** Both together. */
export function addSavings(a: SavingsDay, b: SavingsDay): SavingsDay {
  const each = (one: readonly number[], other: readonly number[]): number[] =>
    one.map((bytes, hour) => bytes + (other[hour] ?? 0));
  return {
    playBytes: each(a.playBytes, b.playBytes),
    pictureBytes: (a.pictureBytes ?? 0) + (b.pictureBytes ?? 0),
    filledBytes: each(a.filledBytes, b.filledBytes),
    fillBytes: a.fillBytes + b.fillBytes,
    newBytes: a.newBytes + b.newBytes,
    reports: a.reports + b.reports,
    missingReports: a.missingReports + b.missingReports,
  };
}

/** What a site's boxes have spared in some days. `heldBytes`: what they hold now. */
export function savingsOf(
  days: readonly SavingsOfBox[],
  { heldBytes, daysCount }: { heldBytes: number; daysCount: number },
): Omit<SavingsReport, 'site' | 'sinceMs' | 'untilMs'> {
  const byBox = Map.groupBy(days, ({ id }) => id);
  const byDay = Map.groupBy(days, ({ day }) => day);
  const all = totalOf(days);
  const peaks = [...byDay.values()].map(totalOf);
  const peakPlay = peakOf(peaks.map(({ playBytes }) => playBytes));
  const peakFilled = peakOf(peaks.map(({ filledBytes }) => filledBytes));
  const sums = sumsOf(all);
  return {
    ...sums,
    ...(sums.playBytes > 0 && {
      offload: 1 - sums.filledBytes / sums.playBytes,
      offloadMost: 1 - all.newBytes / sums.playBytes,
    }),
    peakPlayBytesPerSecond: peakPlay,
    peakFilledBytesPerSecond: peakFilled,
    peakAvoidedBytesPerSecond: peakPlay - peakFilled,
    heldBytes,
    ...(heldBytes > 0 && { churnPerDay: sums.filledBytes / daysCount / heldBytes }),
    boxes: [...byBox]
      .map(([id, ofBox]) => ({ id, ...sumsOf(totalOf(ofBox)) }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

function totalOf(days: readonly SavingsOfBox[]): SavingsDay {
  return days.reduce((total, { sums }) => addSavings(total, sums), noSavings);
}

function sumsOf({ playBytes, pictureBytes = 0, filledBytes, ...rest }: SavingsDay) {
  const sum = (hours: readonly number[]): number => hours.reduce((bytes, hour) => bytes + hour, 0);
  const { fillBytes, reports, missingReports } = rest;
  const toViewers = { playBytes: sum(playBytes), pictureBytes };
  return { ...toViewers, fillBytes, filledBytes: sum(filledBytes), reports, missingReports };
}

function peakOf(days: readonly (readonly number[])[]): number {
  return Math.max(0, ...days.map((hours) => Math.max(...hours))) / hourS;
}

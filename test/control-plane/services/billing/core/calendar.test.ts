import fc from 'fast-check';
import t from 'tap';

import {
  daysLater,
  periodAt,
  periodStart,
  type Schedule,
} from '../../../../../control-plane/services/billing/core/calendar.ts';

const dayMs = 86_400_000;
const zones = Intl.supportedValuesOf('timeZone');
/** Fifty years, with those in which zones jumped over whole days. */
const from = Date.UTC(1990, 0, 1);
const to = Date.UTC(2040, 0, 1);

const schedule: fc.Arbitrary<Schedule> = fc.record({
  anchorMs: fc.integer({ min: from, max: to }),
  timeZone: fc.constantFrom(...zones),
  interval: fc.record({
    unit: fc.constantFrom('week' as const, 'month' as const, 'year' as const),
    count: fc.integer({ min: 1, max: 12 }),
  }),
});

/** As a wall clock of the zone shows it, without Temporal. */
function wall(atMs: number, timeZone: string): Record<string, string> {
  const format = new Intl.DateTimeFormat('en-CA', {
    ...{ timeZone, calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
  });
  return Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
}

const local = (text: string, timeZone: string) =>
  Temporal.PlainDateTime.from(text).toZonedDateTime(timeZone).epochMilliseconds;

const days = (schedule: Schedule, count: number) =>
  Array.from({ length: count }, (_, index) => {
    const { year, month, day } = wall(periodStart(schedule, index), schedule.timeZone);
    return `${year}-${month}-${day}`;
  });

t.test('every moment of fifty years is in exactly one period', (t) => {
  fc.assert(
    fc.property(schedule, fc.integer({ min: from, max: to }), (schedule, atMs) => {
      const { index, startMs, endMs } = periodAt(schedule, atMs);
      return (
        startMs <= atMs &&
        atMs < endMs &&
        startMs === periodStart(schedule, index) &&
        endMs === periodStart(schedule, index + 1) &&
        periodAt(schedule, startMs).index === index &&
        periodAt(schedule, endMs).index === index + 1 &&
        periodAt(schedule, endMs - 1).index === index
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('periods of months begin on the day of the anchor, or on the last of a shorter month', (t) => {
  fc.assert(
    fc.property(schedule, fc.integer({ min: 1, max: 600 }), (schedule, index) => {
      const { timeZone, interval } = schedule;
      fc.pre(interval.unit === 'month' && index * interval.count <= 600);
      const anchor = wall(schedule.anchorMs, timeZone);
      const start = wall(periodStart(schedule, index), timeZone);
      const months = Number(start['year']) * 12 + Number(start['month']);
      const last = new Date(Date.UTC(Number(start['year']), Number(start['month']), 0)).getUTCDate();
      const wanted = Number(anchor['year']) * 12 + Number(anchor['month']) + index * interval.count;
      const isDay = Number(start['day']) === Math.min(Number(anchor['day']), last);
      const isTime = start['hour'] === anchor['hour'] && start['minute'] === anchor['minute'];
      // Where clocks leave a time out, the day may end before it.
      return isTime ? months === wanted && isDay : true;
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('month ends, leap days and changes of the clocks', (t) => {
  const berlin = { timeZone: 'Europe/Berlin' };
  const monthly = { unit: 'month', count: 1 } as const;
  const of31 = { ...berlin, interval: monthly, anchorMs: local('2027-12-31T12:00', 'Europe/Berlin') };
  t.strictSame(days(of31, 6), [
    '2027-12-31',
    '2028-01-31',
    '2028-02-29',
    '2028-03-31',
    '2028-04-30',
    '2028-05-31',
  ]);
  const yearly = { unit: 'year', count: 1 } as const;
  const of29 = { ...berlin, interval: yearly, anchorMs: local('2024-02-29T00:00', 'Europe/Berlin') };
  t.strictSame(days(of29, 5), ['2024-02-29', '2025-02-28', '2026-02-28', '2027-02-28', '2028-02-29']);

  const missing = { ...berlin, interval: monthly, anchorMs: local('2026-02-28T02:30', 'Europe/Berlin') };
  t.equal(periodStart(missing, 1), local('2026-03-28T02:30', 'Europe/Berlin'));
  const spring = {
    ...berlin,
    interval: { unit: 'week', count: 1 } as const,
    anchorMs: local('2026-03-22T02:30', 'Europe/Berlin'),
  };
  t.equal(
    periodStart(spring, 1),
    local('2026-03-29T03:30', 'Europe/Berlin'),
    'a time that is left out comes later',
  );
  t.equal(periodStart(spring, 2), local('2026-04-05T02:30', 'Europe/Berlin'), 'once');
  t.equal(periodStart(spring, 1) - periodStart(spring, 0), 7 * dayMs);
  t.equal(periodStart(spring, 2) - periodStart(spring, 1), 7 * dayMs - 3_600_000);
  const autumn = { ...spring, anchorMs: local('2026-10-18T02:30', 'Europe/Berlin') };
  t.equal(new Date(periodStart(autumn, 1)).toISOString(), '2026-10-25T00:30:00.000Z', 'the first of the two');

  // Samoa had no 30 December 2011.
  const samoa = {
    timeZone: 'Pacific/Apia',
    interval: monthly,
    anchorMs: local('2011-11-30T08:00', 'Pacific/Apia'),
  };
  t.strictSame(days(samoa, 3), ['2011-11-30', '2011-12-31', '2012-01-30']);
  t.equal(
    daysLater(local('2026-03-28T12:00', 'Europe/Berlin'), { days: 1, ...berlin }),
    local('2026-03-29T12:00', 'Europe/Berlin'),
  );
  t.throws(() => periodStart({ ...samoa, timeZone: 'Mars/Olympus' }, 1), RangeError);
  t.throws(() => periodStart(samoa, 10 ** 9), RangeError);
  t.end();
});

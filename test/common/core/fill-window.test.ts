import fc from 'fast-check';
import t from 'tap';

import type { FillWindow } from '../../../common/contract/documents.ts';
import { fillWindow, isTimeZone, siteChance } from '../../../common/core/fill-window.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const noJitter = { chance: 0.5 };

const at = (text: string): number => Date.parse(text);
const windowIn = (timeZone: string, of: Partial<FillWindow> = {}): FillWindow => ({
  ...{ startMinute: 2 * 60, endMinute: 14 * 60, jitterMinutes: 0, timeZone },
  ...of,
});
const shown = ({ open, untilMs }: { open: boolean; untilMs: number }): string =>
  `${open ? 'open' : 'closed'} until ${new Date(untilMs).toISOString().slice(0, 16)}Z`;

/** What a window does from a moment on, change after change. */
function changes(window: FillWindow, fromMs: number, count: number): string[] {
  const list: string[] = [];
  for (let ms = fromMs; list.length < count;) {
    const state = fillWindow(window, ms, noJitter);
    list.push(shown(state));
    ms = state.untilMs;
  }
  return list;
}

t.test('an ordinary day', (t) => {
  const berlin = windowIn('Europe/Berlin');
  t.equal(shown(fillWindow(berlin, at('2026-01-15T00:59:59Z'), noJitter)), 'closed until 2026-01-15T01:00Z');
  t.equal(shown(fillWindow(berlin, at('2026-01-15T01:00:00Z'), noJitter)), 'open until 2026-01-15T13:00Z');
  t.equal(shown(fillWindow(berlin, at('2026-01-15T12:59:59Z'), noJitter)), 'open until 2026-01-15T13:00Z');
  t.equal(shown(fillWindow(berlin, at('2026-01-15T13:00:00Z'), noJitter)), 'closed until 2026-01-16T01:00Z');
  t.end();
});

t.test(
  'the night in which clocks go forward: 02:30 does not come, and the window opens at the change',
  (t) => {
    t.same(changes(windowIn('Europe/Berlin', { startMinute: 150 }), at('2026-03-28T12:00Z'), 4), [
      'open until 2026-03-28T13:00Z',
      'closed until 2026-03-29T01:00Z',
      'open until 2026-03-29T12:00Z',
      'closed until 2026-03-30T00:30Z',
    ]);
    t.same(
      changes(windowIn('America/New_York', { startMinute: 0, endMinute: 150 }), at('2026-03-08T04:00Z'), 3),
      ['closed until 2026-03-08T05:00Z', 'open until 2026-03-08T07:00Z', 'closed until 2026-03-09T04:00Z'],
      'an end that does not come is the change too',
    );
    t.end();
  },
);

t.test('the night in which clocks go back: 02:30 comes twice, and the first one counts', (t) => {
  t.same(changes(windowIn('Europe/Berlin', { startMinute: 150 }), at('2026-10-24T12:00Z'), 4), [
    'closed until 2026-10-25T00:30Z',
    'open until 2026-10-25T13:00Z',
    'closed until 2026-10-26T01:30Z',
    'open until 2026-10-26T13:00Z',
  ]);
  t.same(
    changes(windowIn('Europe/Berlin', { startMinute: 0, endMinute: 150 }), at('2026-10-24T21:00Z'), 3),
    ['closed until 2026-10-24T22:00Z', 'open until 2026-10-25T00:30Z', 'closed until 2026-10-25T23:00Z'],
    'nor does it open again in the second',
  );
  t.end();
});

t.test('over midnight, and a whole day', (t) => {
  const night = windowIn('Europe/Berlin', { startMinute: 22 * 60, endMinute: 6 * 60 });
  t.same(changes(night, at('2026-06-01T12:00Z'), 3), [
    'closed until 2026-06-01T20:00Z',
    'open until 2026-06-02T04:00Z',
    'closed until 2026-06-02T20:00Z',
  ]);
  t.equal(shown(fillWindow(night, at('2026-06-02T03:00Z'), noJitter)), 'open until 2026-06-02T04:00Z');
  const always = windowIn('Europe/Berlin', { startMinute: 300, endMinute: 300 });
  for (let ms = at('2026-03-27T00:00Z'); ms < at('2026-03-31T00:00Z'); ms += 17 * minuteMs)
    if (!fillWindow(always, ms, noJitter).open) t.fail(`closed at ${new Date(ms).toISOString()}`);
  t.end();
});

t.test('zones with odd offsets, and changes that are no hour', (t) => {
  const opens = (timeZone: string, from: string): string =>
    shown(fillWindow(windowIn(timeZone, { startMinute: 2 * 60, endMinute: 60 }), at(from), noJitter));
  t.equal(opens('Asia/Kathmandu', '2026-05-01T19:20Z'), 'closed until 2026-05-01T20:15Z', '+05:45');
  t.equal(opens('Asia/Kolkata', '2026-05-01T20:00Z'), 'closed until 2026-05-01T20:30Z', '+05:30');
  t.equal(opens('Pacific/Chatham', '2026-07-01T12:20Z'), 'closed until 2026-07-01T13:15Z', '+12:45');
  t.equal(opens('Pacific/Kiritimati', '2026-07-01T11:30Z'), 'closed until 2026-07-01T12:00Z', '+14');
  t.equal(opens('Pacific/Niue', '2026-07-01T12:30Z'), 'closed until 2026-07-01T13:00Z', '-11');
  // Lord Howe's clocks change by half an hour: 02:00 becomes 02:30.
  t.equal(
    shown(
      fillWindow(windowIn('Australia/Lord_Howe', { startMinute: 135 }), at('2026-10-03T12:00Z'), noJitter),
    ),
    'closed until 2026-10-03T15:30Z',
  );
  // Samoa left out the whole of 2011-12-30: its window is empty, and the next is the next day's.
  t.same(changes(windowIn('Pacific/Apia'), at('2011-12-29T13:00Z'), 5), [
    'open until 2011-12-30T00:00Z',
    'closed until 2011-12-30T12:00Z',
    'open until 2011-12-31T00:00Z',
    'closed until 2011-12-31T12:00Z',
    'open until 2012-01-01T00:00Z',
  ]);
  t.end();
});

t.test('jitter moves the whole window, by the site and not by the day', (t) => {
  const window = windowIn('Europe/Berlin', { jitterMinutes: 120 });
  const state = (chance: number) => shown(fillWindow(window, at('2026-01-14T22:00Z'), { chance }));
  t.equal(state(0), 'closed until 2026-01-14T23:00Z');
  t.equal(state(0.5), 'closed until 2026-01-15T01:00Z');
  t.equal(state(0.999), 'closed until 2026-01-15T03:00Z');
  const early = windowIn('Europe/Berlin', { startMinute: 60, endMinute: 120, jitterMinutes: 120 });
  t.equal(
    shown(fillWindow(early, at('2026-01-14T21:30Z'), { chance: 0 })),
    'closed until 2026-01-14T22:00Z',
    'to the evening before',
  );
  t.equal(siteChance('isp-a-1'), siteChance('isp-a-1'));
  t.not(siteChance('isp-a-1'), siteChance('isp-a-2'));
  const chances = Array.from({ length: 1000 }, (_, n) => siteChance(`site-${n}`));
  t.ok(chances.every((chance) => chance >= 0 && chance < 1));
  const mean = chances.reduce((sum, chance) => sum + chance, 0) / chances.length;
  t.ok(Math.abs(mean - 0.5) < 0.05, 'sites are spread over their jitter');
  t.end();
});

t.test('a zone that nobody knows', (t) => {
  t.ok(isTimeZone('Europe/Berlin'));
  t.notOk(isTimeZone('Europe/Nowhere'));
  t.throws(() => fillWindow(windowIn('Europe/Nowhere'), 0, noJitter), RangeError);
  t.end();
});

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Africa/Casablanca',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
];
const windows = fc.record({
  startMinute: fc.integer({ min: 0, max: 1439 }),
  endMinute: fc.integer({ min: 0, max: 1439 }),
  timeZone: fc.constantFrom(...zones),
  jitterMinutes: fc.integer({ min: 0, max: 240 }),
});
const moments = fc.integer({ min: at('2024-01-01T00:00Z'), max: at('2030-01-01T00:00Z') });

t.test('whatever the window: it tells the next change', (t) => {
  fc.assert(
    fc.property(windows, moments, fc.double({ min: 0, max: 1, noNaN: true }), (window, nowMs, chance) => {
      const now = fillWindow(window, nowMs, { chance });
      // A short window may fall into an hour that is left out: then there is none on that day.
      if (now.untilMs <= nowMs || now.untilMs > nowMs + 2 * dayMs + hourMs) return false;
      const just = fillWindow(window, now.untilMs - 1, { chance });
      if (just.open !== now.open || just.untilMs !== now.untilMs) return false;
      return now.open || fillWindow(window, now.untilMs, { chance }).open;
    }),
    { numRuns: 500 },
  );
  t.end();
});

import t from 'tap';

import { createEta, opensAt } from '../../../control-plane/core/fill-eta.ts';
import { nightOf } from '../../../control-plane/core/fill-night.ts';

const at = (text: string): number => Date.parse(text);
const window = { startMinute: 120, endMinute: 840, timeZone: 'Europe/Berlin', jitterMinutes: 0 };
const perHour = 3600 * 1000;
// 1000 bytes a second.
const pace = { bytesPerSecond: 1000, window, chance: 0.5 };

t.test('without a window bytes flow from now on', (t) => {
  const eta = createEta({ ...pace, window: undefined, nowMs: 5000 });
  t.equal(eta(0), 5000);
  t.equal(eta(2500), 7500);
  t.equal(
    createEta({ ...pace, bytesPerSecond: undefined, nowMs: 0 })(1),
    undefined,
    'nothing tells the pace',
  );
  t.end();
});

t.test('with one they flow while it is open, over as many nights as it takes', (t) => {
  const closed = createEta({ ...pace, nowMs: at('2026-01-15T20:00Z') });
  t.equal(closed(perHour), at('2026-01-16T02:00Z'), 'an hour after it has opened');
  t.equal(closed(12 * perHour), at('2026-01-16T13:00Z'), 'just before it closes');
  t.equal(closed(13 * perHour), at('2026-01-17T02:00Z'), 'the next night');
  t.equal(closed(30 * perHour), at('2026-01-18T07:00Z'));
  t.equal(closed(perHour), at('2026-01-16T02:00Z'), 'asked again, in any order');
  const open = createEta({ ...pace, nowMs: at('2026-01-15T12:00Z') });
  t.equal(open(perHour / 2), at('2026-01-15T12:30Z'));
  t.equal(open(2 * perHour), at('2026-01-16T02:00Z'));
  t.equal(open(1e15), undefined, 'beyond half a year');
  t.end();
});

t.test('the night in which clocks go forward is an hour shorter', (t) => {
  const eta = createEta({ ...pace, nowMs: at('2026-03-28T20:00Z') });
  t.equal(eta(11 * perHour), at('2026-03-29T12:00Z'), '02:00 is 03:00 there, 14:00 is 12:00 UTC');
  t.end();
});

t.test('when a window opens, where it is closed', (t) => {
  t.equal(opensAt({ ...pace, nowMs: at('2026-01-15T20:00Z') }), at('2026-01-16T01:00Z'));
  t.equal(opensAt({ ...pace, nowMs: at('2026-01-15T12:00Z') }), undefined);
  t.equal(opensAt({ ...pace, window: undefined, nowMs: 0 }), undefined);
  t.end();
});

t.test('a night is from 18:00 to 18:00 by the clocks of its place', (t) => {
  t.same(nightOf('2026-01-15', 'Europe/Berlin'), {
    sinceMs: at('2026-01-14T17:00Z'),
    untilMs: at('2026-01-15T17:00Z'),
  });
  t.same(nightOf('2026-03-29', 'Europe/Berlin'), {
    sinceMs: at('2026-03-28T17:00Z'),
    untilMs: at('2026-03-29T16:00Z'),
  });
  t.same(nightOf('2026-01-15', 'Pacific/Kiritimati'), {
    sinceMs: at('2026-01-14T04:00Z'),
    untilMs: at('2026-01-15T04:00Z'),
  });
  t.equal(nightOf('2026-02-30', 'UTC'), undefined);
  t.equal(nightOf('yesterday', 'UTC'), undefined);
  t.end();
});

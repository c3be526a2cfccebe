import fc from 'fast-check';
import t from 'tap';
import { parseMoment } from '../../../common/core/wall-time.ts';

const at = (text: string, timeZone?: string): string | undefined => {
  const moment = parseMoment(text, timeZone);
  return moment.ok ? new Date(moment.value).toISOString() : undefined;
};

t.test('a time is by the wall clock of its zone, or has an offset of its own', (t) => {
  t.equal(at('2026-12-01 02:00', 'Europe/Berlin'), '2026-12-01T01:00:00.000Z');
  t.equal(at('2026-07-01T02:00', 'Europe/Berlin'), '2026-07-01T00:00:00.000Z');
  t.equal(at('2026-07-01 02:00', 'America/New_York'), '2026-07-01T06:00:00.000Z');
  t.equal(at('2026-12-01T02:00+05:30'), '2026-11-30T20:30:00.000Z');
  t.equal(at('2026-12-01T02:00-03:00', 'Europe/Berlin'), '2026-12-01T05:00:00.000Z', 'the offset wins');
  t.equal(at('2026-12-01T02:00:30Z'), '2026-12-01T02:00:30.000Z');
  t.end();
});

t.test('when the clocks change: left out is the moment of the change, twice is the first', (t) => {
  t.equal(at('2026-03-29 02:30', 'Europe/Berlin'), '2026-03-29T01:00:00.000Z');
  t.equal(at('2026-10-25 02:30', 'Europe/Berlin'), '2026-10-25T00:30:00.000Z');
  t.end();
});

t.test('no guesses: junk, days that are not there, and times without a zone are refused', (t) => {
  for (const text of [
    '',
    'tomorrow',
    '2026-12-01',
    '02:00',
    '2026-02-30 02:00',
    '2026-13-01 02:00',
    '2026-12-01 24:30',
    '2026-12-01 02:60',
    '1.12.2026 02:00',
    '2026-12-01 02:00 CET',
  ])
    // prettier-ignore
    t.equal(at(text, 'Europe/Berlin'), undefined, text);
  t.match(parseMoment('2026-12-01 02:00'), { ok: false, code: 'INVALID', detail: /needs a time zone/ });
  fc.assert(fc.property(fc.string(), (text) => !parseMoment(text, 'UTC').ok));
  t.end();
});

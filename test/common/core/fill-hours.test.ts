import t from 'tap';

import { formatFillHours, parseFillHours } from '../../../common/core/fill-hours.ts';
import { parseRateBytesPerSecond } from '../../../common/runtime/quantities.ts';

t.test('hours as people write them', (t) => {
  t.same(parseFillHours('02:00-14:00'), { startMinute: 120, endMinute: 840 });
  t.same(parseFillHours(' 22:30-06:15 '), { startMinute: 1350, endMinute: 375 }, 'over midnight');
  for (const text of ['', '2:00-14:00', '24:00-01:00', '02:60-03:00', '02:00', '02:00-02:00', '02:00–14:00'])
    t.equal(parseFillHours(text), undefined, text);
  t.equal(formatFillHours({ startMinute: 1350, endMinute: 5 }), '22:30-00:05');
  t.end();
});

t.test('rates as operators write them', (t) => {
  for (const [text, bytes] of [
    ['1.2Gbit', 150_000_000],
    ['400 Mbit/s', 50_000_000],
    ['800kbit', 100_000],
    ['50MB/s', 50_000_000],
    ['10MiB', 10 * 2 ** 20],
    ['1000', 1000],
  ] as const)
    t.equal(parseRateBytesPerSecond(text), bytes, text);
  for (const text of ['', 'fast', '0', '-1Mbit', '1 horse', 'Gbit', '1.2.3Gbit'])
    t.equal(parseRateBytesPerSecond(text), undefined, text);
  t.end();
});

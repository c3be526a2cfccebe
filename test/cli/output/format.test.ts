import t from 'tap';

import {
  formatAgo,
  formatBar,
  formatBytes,
  formatDuration,
  formatPercent,
  formatViewed,
  shortFile,
} from '../../../cli/output/format.ts';
import { visible } from '../../../cli/output/output.ts';

t.test('bytes have three digits and a binary unit', async (t) => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1536, '1.50 KiB'],
    [10 * 1024, '10.0 KiB'],
    [512 * 1024 ** 2, '512 MiB'],
    [120e12, '109 TiB'],
    [Number.MAX_SAFE_INTEGER, '8.00 PiB'],
  ];
  for (const [bytes, text] of cases) t.equal(formatBytes(bytes), text);
});

t.test('of bytes to viewers it is said how many were of pictures, where some were', async (t) => {
  t.equal(formatViewed({ playBytes: 1536 }), '1.50 KiB');
  t.equal(formatViewed({ playBytes: 1536, pictureBytes: 0 }), '1.50 KiB');
  t.equal(formatViewed({ playBytes: 1536, pictureBytes: 500 }), '1.50 KiB, 500 B of it pictures');
});

t.test('durations, ages and shares', async (t) => {
  t.equal(formatDuration(850), '850 ms');
  t.equal(formatDuration(12_345), '12.3 s');
  t.equal(formatDuration(125_000), '2:05');
  t.equal(formatDuration(3_723_000), '1:02:03');
  t.equal(formatAgo(undefined, 5), 'never');
  t.equal(formatAgo(10_000, 5000), '0 ms ago', 'a clock that differs is not the future');
  t.equal(formatPercent(0.996), '100 %');
  t.equal(formatBar(0.5, 4), '██░░');
  t.equal(formatBar(7, 4), '████');
  t.equal(shortFile('a'.repeat(64)), 'a'.repeat(10));
});

t.test('a name cannot steer the terminal', async (t) => {
  const shown = visible('\u001b[2J\u009b2J\u0007bell\u202eright');
  for (const character of ['\u001b', '\u009b', '\u0007', '\u202e']) t.notOk(shown.includes(character));
  t.equal(visible('Дом, 家, ✔'), 'Дом, 家, ✔');
});

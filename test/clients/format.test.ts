import t from 'tap';

import {
  formatBitrate,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatPosition,
  formatShare,
  formatTime,
} from '../../clients/shared/format.ts';

t.test('bytes stay short in every unit', async (t) => {
  t.equal(formatBytes(0), '0 B');
  t.equal(formatBytes(999), '999 B');
  t.equal(formatBytes(1000), '1.0 KiB');
  t.equal(formatBytes(1024 ** 2), '1.0 MiB');
  t.equal(formatBytes(99.97 * 1024 ** 2), '100 MiB');
  t.equal(formatBytes(999.9 * 1024 ** 3), '1.0 TiB');
  t.equal(formatBytes(2 ** 63), '8192 PiB');
});

t.test('rates, counts and shares', async (t) => {
  t.equal(formatBitrate(800_000), '800 kb/s');
  t.equal(formatBitrate(999_900), '1.0 Mb/s');
  t.equal(formatBitrate(2.5e9), '2.5 Gb/s');
  t.equal(formatCount(999), '999');
  t.equal(formatCount(1_234_567), '1\u202f234\u202f567');
  t.equal(formatShare(0, 0), '0 %');
  t.equal(formatShare(1, 1000), '1 %', 'a little is not nothing');
  t.equal(formatShare(999, 1000), '99 %', 'nearly all is not all');
  t.equal(formatShare(3, 3), '100 %');
});

t.test('times', async (t) => {
  const at = new Date(2026, 10, 21, 3, 4, 5, 678).getTime();
  t.equal(formatClock(at), '03:04:05');
  t.equal(formatClock(at, { tenths: true }), '03:04:05.6');
  t.equal(formatTime(at), '2026-11-21 03:04');
  t.equal(formatPosition(59_999), '0:59');
  t.equal(formatPosition(3_723_000), '1:02:03');
  t.equal(formatDuration(0), '0 ms');
  t.equal(formatDuration(7400), '7 s');
  t.equal(formatDuration(60_000), '1 min');
  t.equal(formatDuration(3_725_000), '1 h 2 min');
  t.equal(formatDuration(90_061_000), '1 d 1 h');
});

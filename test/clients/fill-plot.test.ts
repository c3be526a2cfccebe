import t from 'tap';

import { groupMissing } from '../../clients/console/group-missing.ts';
import { byteLabels, stackBuckets, timeLabels, timeRangeS } from '../../clients/console/plot-scale.ts';

const bucket = (atMs: number, ...[peer, tier, origin]: [peer: number, tier: number, origin: number]) => ({
  ...{ atMs, peer, tier, origin },
});

t.test('buckets are stacked from the bottom up', async (t) => {
  const buckets = [bucket(1000, 1, 2, 4), bucket(2000, 0, 0, 8)];
  t.same(stackBuckets(buckets, ['origin', 'tier', 'peer']), {
    timesS: [1, 2],
    sums: [
      [4, 8],
      [6, 8],
      [7, 8],
    ],
  });
  t.same(stackBuckets([], ['origin']), { timesS: [], sums: [[]] });
});

t.test('a fill of seconds and one of a night are both readable', async (t) => {
  t.same(timeRangeS([bucket(10_000, 1, 0, 0), bucket(11_000, 1, 0, 0)], 1000), [10, 22], 'never two walls');
  const night = Array.from({ length: 120 }, (_, i) => bucket(i * 240_000, 1, 0, 0));
  t.same(timeRangeS(night, 240_000), [0, 28_800]);
  const at = (...time: [hour: number, minute: number, second: number]) =>
    new Date(2026, 10, 20, ...time).getTime() / 1000;
  t.same(timeLabels([at(3, 4, 5), at(3, 4, 6)], 1), ['03:04:05\n20 Nov', '03:04:06']);
  t.same(timeLabels([at(23, 0, 0), at(24, 0, 0), at(25, 0, 0)], 3600), [
    '23:00\n20 Nov',
    '00:00\n21 Nov',
    '01:00',
  ]);
  t.same(byteLabels([0, 512, 2 ** 21]), ['0 B', '512 B', '2 MiB']);
});

t.test('missing files are gathered by title and reason', async (t) => {
  const missing = (title: string, why: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ file: `${title}${i}`, title, sizeBytes: 1, why }));
  t.same(groupMissing([...missing('A', 'on its way', 2), ...missing('B', 'disk full', 3)]), [
    { title: 'B', why: 'disk full', files: 3 },
    { title: 'A', why: 'on its way', files: 2 },
  ]);
});

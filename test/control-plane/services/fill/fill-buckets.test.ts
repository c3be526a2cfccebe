import t from 'tap';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { createFillBuckets } from '../../../../control-plane/services/fill/fill-buckets.ts';

t.test('one second each while they are few; a transfer runs evenly', (t) => {
  const buckets = createFillBuckets();
  t.strictSame(buckets.view(), { bucketMs: 1000, buckets: [] });
  buckets.add({ startMs: 10_000, endMs: 12_999, byKind: { peer: 10, tier: 0, origin: 3 } });
  buckets.add({ startMs: 14_000, endMs: 14_000, byKind: { peer: 0, tier: 5, origin: 0 } });
  t.strictSame(buckets.view(), {
    bucketMs: 1000,
    buckets: [
      { atMs: 10_000, peer: 3, tier: 0, origin: 1 },
      { atMs: 11_000, peer: 3, tier: 0, origin: 1 },
      { atMs: 12_000, peer: 4, tier: 0, origin: 1 },
      { atMs: 13_000, peer: 0, tier: 0, origin: 0 },
      { atMs: 14_000, peer: 0, tier: 5, origin: 0 },
    ],
  });
  t.end();
});

t.test('never more than 120 of them and never a byte lost, whatever the times', (t) => {
  const chance = createSeededChance(11);
  const buckets = createFillBuckets();
  let bytes = 0;
  for (let count = 0; count < 2000; count++) {
    const startMs = Math.floor(1e12 + chance.fraction() * 10 ** (3 + 6 * chance.fraction()));
    const byKind = { peer: Math.floor(chance.fraction() * 1e6), tier: 1, origin: count };
    buckets.add({ startMs, endMs: startMs + Math.floor(chance.fraction() * 1e6), byKind });
    bytes += byKind.peer + byKind.tier + byKind.origin;
  }
  // A box whose clock was never set.
  buckets.add({ startMs: 0, endMs: 5, byKind: { peer: 7, tier: 0, origin: 0 } });
  const view = buckets.view();
  t.ok(view.buckets.length <= 120);
  t.equal(
    view.buckets.reduce((sum, { peer, tier, origin }) => sum + peer + tier + origin, 0),
    bytes + 7,
  );
  t.ok(view.buckets.every(({ atMs }) => atMs % view.bucketMs === 0));
  t.end();
});

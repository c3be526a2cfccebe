import fc from 'fast-check';
import t from 'tap';
import {
  addServing,
  popularityHalfLifeMs,
  popularityOf,
  weightBytesAt,
  type Weight,
} from '../../../control-plane/core/popularity.ts';

const startMs = Date.UTC(2026, 0, 1);

t.test('a serving counts half after the half-life', async (t) => {
  const weight = addServing(undefined, { bytes: 1000, atMs: startMs });
  t.equal(weightBytesAt(weight, startMs), 1000);
  t.equal(weightBytesAt(weight, startMs + popularityHalfLifeMs), 500);
  t.equal(weightBytesAt(weight, startMs + 2 * popularityHalfLifeMs), 250);
  t.equal(weightBytesAt(undefined, startMs), 0);
});

t.test('the order in which servings are added does not matter', async () => {
  const serving = fc.record({
    bytes: fc.integer({ min: 0, max: 2 ** 40 }),
    atMs: fc.integer({ min: startMs, max: startMs + 30 * 24 * 3_600_000 }),
  });
  fc.assert(
    fc.property(fc.array(serving, { minLength: 1, maxLength: 20 }), (servings) => {
      const nowMs = startMs + 31 * 24 * 3_600_000;
      const fold = (list: typeof servings): number => {
        let weight: Weight | undefined;
        for (const item of list) weight = addServing(weight, item);
        return weightBytesAt(weight, nowMs);
      };
      const forward = fold(servings);
      const backward = fold(servings.toReversed());
      return Math.abs(forward - backward) <= 1e-6 * Math.max(1, forward);
    }),
  );
});

t.test('popularity is smoothed bytes by size', async (t) => {
  const weight = { bytes: 3000, atMs: startMs };
  const files = [
    { weight, sizeBytes: 500 },
    { weight: undefined, sizeBytes: 500 },
  ];
  t.equal(popularityOf(files, startMs), 3);
  t.equal(popularityOf(files, startMs + popularityHalfLifeMs), 1.5);
  t.equal(popularityOf([], startMs), 0);
  t.equal(popularityOf([{ weight, sizeBytes: 0 }], startMs), 0);
});

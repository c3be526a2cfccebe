import fc from 'fast-check';
import t from 'tap';
import { backoffMs, spreadBackoffMs } from '../../../common/core/backoff.ts';

const waits = { firstMs: 250, maxMs: 10_000 };

t.test('each wait is twice the one before, up to the longest, however many failures there were', (t) => {
  t.strictSame(
    [0, 1, 2, 5, 6, 5000].map((failures) => backoffMs(waits, failures)),
    [250, 500, 1000, 8000, 10_000, 10_000],
  );
  t.end();
});

t.test('chance takes off half at most', (t) => {
  fc.assert(
    fc.property(
      fc.nat(5000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, at) => {
        const wholeMs = backoffMs(waits, failures);
        const spreadMs = spreadBackoffMs(waits, failures, { fraction: () => at });
        t.ok(spreadMs >= wholeMs / 2 && spreadMs < wholeMs);
      },
    ),
    { numRuns: 50 },
  );
  t.equal(spreadBackoffMs(waits, 0, { fraction: () => 0 }), 125);
  t.end();
});

import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';

import { Gradient2, gradient2Defaults } from '../../../../control-plane/gateway/core/gradient2.ts';
import { SampleWindow } from '../../../../control-plane/gateway/core/sample-window.ts';

interface Golden {
  /** Round-trip time in nanoseconds, requests in flight, and the limit that Netflix's library answers. */
  readonly steps: readonly (readonly [roundTrip: number, inFlight: number, limit: number])[];
}

t.test("equals the reference's limits step by step", async (t) => {
  const file = new URL('golden/gradient2.json.golden', import.meta.url);
  const { steps } = JSON.parse(await readFile(file, 'utf8')) as Golden;
  const limit = new Gradient2(gradient2Defaults);
  const ours = steps.map(([roundTrip, inFlight]) => limit.update({ roundTrip, inFlight }));
  t.ok(steps.length >= 2000, `${steps.length} steps`);
  t.strictSame(
    ours,
    steps.map(([, , expected]) => expected),
  );
  const { limitMin, limitMax } = gradient2Defaults;
  t.ok(ours.includes(limitMin) && ours.includes(limitMax), 'from one bound to the other');
});

t.test('stays within its bounds, whatever comes', (t) => {
  const sample = fc.record({
    roundTrip: fc.double({ min: 1e-6, max: 1e12, noNaN: true }),
    inFlight: fc.nat(1000),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 300 }), (samples) => {
      const limit = new Gradient2(gradient2Defaults);
      return samples.every((one) => {
        const now = limit.update(one);
        return now >= gradient2Defaults.limitMin && now <= gradient2Defaults.limitMax;
      });
    }),
  );
  t.end();
});

t.test(
  'answers are gathered for a second; few of them, or those that waited for nothing, tell nothing',
  (t) => {
    const window = new SampleWindow();
    t.equal(window.add(5, 1, 0), undefined, 'the first ends a window of one');
    for (let at = 1; at <= 19; at++) t.equal(window.add(at, at % 7, at * 50), undefined);
    t.equal(window.add(0.05, 100, 999), undefined);
    t.strictSame(window.add(20, 3, 1001), { roundTripMs: 10.5, inFlight: 6 });
    for (let at = 0; at < 8; at++) t.equal(window.add(1, 1, 1100), undefined);
    t.equal(window.add(1, 1, 2002), undefined, 'nine are too few');
    t.equal(window.add(1, 1, 3000), undefined, 'and are not counted for the next');
    t.end();
  },
);

import fc from 'fast-check';
import t from 'tap';

import {
  addPlayed,
  nothingPlayed,
  rangesMax,
  secondsOf,
  type PlayedSeconds,
} from '../../../../../control-plane/services/billing/core/played-seconds.ts';

const told = fc.record({ untilS: fc.integer({ min: 100, max: 400 }), playedS: fc.nat({ max: 20 }) });

function sumOf(all: readonly { untilS: number; playedS: number }[]): PlayedSeconds {
  return all.reduce(
    (sum, { untilS, playedS }) => addPlayed(sum, { untilMs: untilS * 1000, playedMs: playedS * 1000 }),
    nothingPlayed,
  );
}

t.test('what was played is a set: order, repetition and parts do not matter', (t) => {
  fc.assert(
    fc.property(
      fc.array(told, { maxLength: 60 }),
      fc.array(fc.nat({ max: 59 }), { maxLength: 60 }),
      (all, again) => {
        const seconds = new Set<number>();
        for (const { untilS, playedS } of all) for (let s = untilS - playedS; s < untilS; s++) seconds.add(s);
        const repeated = [...all, ...again.flatMap((at) => all[at] ?? [])];
        for (const order of [repeated, repeated.toReversed()]) {
          const sum = sumOf(order);
          t.equal(secondsOf(sum), seconds.size);
          for (const [at, [fromS, toS]] of sum.ranges.entries()) {
            t.ok(fromS < toS);
            t.ok(fromS > (sum.ranges[at - 1]?.[1] ?? -1), 'ranges are apart');
          }
        }
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('milliseconds between reports make no gaps that grow', (t) => {
  let sum = nothingPlayed;
  let untilMs = 1_000_000;
  for (let report = 0; report < 500; report++) {
    untilMs += 10_007;
    sum = addPlayed(sum, { untilMs, playedMs: 10_003 });
  }
  t.ok(Math.abs(secondsOf(sum) - 5003) <= 10, String(secondsOf(sum)));
  t.end();
});

t.test('of more pauses than are remembered the earliest count, once', (t) => {
  let sum = nothingPlayed;
  const play = (index: number) => (sum = addPlayed(sum, { untilMs: index * 60_000, playedMs: 30_000 }));
  const pauses = rangesMax + 100;
  for (let index = 1; index <= pauses; index++) play(index);
  t.equal(sum.ranges.length, rangesMax);
  t.equal(secondsOf(sum), pauses * 30);
  for (let index = 1; index <= pauses; index++) play(index);
  t.equal(secondsOf(sum), pauses * 30, 'told again');
  addPlayed(sum, { untilMs: 45_000, playedMs: 5000 });
  t.equal(secondsOf(sum), pauses * 30, 'of a time that is folded nothing is added');
  t.end();
});

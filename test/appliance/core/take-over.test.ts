import fc from 'fast-check';
import t from 'tap';

import { expectedRate, planTakeOver, runChunks, type Running } from '../../../appliance/core/take-over.ts';

const mib = 2 ** 20;
const running = (node: string, [next, last]: readonly [number, number], mibPerSecond: number): Running => ({
  ...{ node, next, last },
  bytesPerSecond: mibPerSecond * mib,
});
const fast = (mibPerSecond: number) => ({ node: 'fast', bytesPerSecond: mibPerSecond * mib });

t.test('the last chunks of whoever would end last change hands, so that both end together', (t) => {
  const slow = running('slow', [0, 9], 1);
  const quicker = running('quicker', [10, 19], 5);
  t.same(
    planTakeOver([quicker, slow], fast(4)),
    { victim: slow, first: 2 },
    'four fifths go to who is four times as fast',
  );
  t.same(
    planTakeOver([slow], { node: 'new', bytesPerSecond: undefined }),
    { victim: slow, first: 5 },
    'half, to who is not known',
  );
  t.same(
    planTakeOver([running('slow', [3, 4], 1)], fast(100)),
    { victim: running('slow', [3, 4], 1), first: 4 },
    'not the one in progress',
  );
  t.end();
});

t.test('what ends soon anyway stays where it is', (t) => {
  t.equal(planTakeOver([running('slow', [0, 9], 100)], fast(100)), undefined, '0.1 s are no gain');
  t.equal(planTakeOver([running('slow', [5, 4], 1)], fast(100)), undefined, 'nothing is left of it');
  t.equal(planTakeOver([], fast(100)), undefined);
  t.end();
});

t.test('a chunk in progress changes hands only for much', (t) => {
  const last = (mibPerSecond: number) => running('slow', [7, 7], mibPerSecond);
  t.same(planTakeOver([last(0.1)], fast(10)), { victim: last(0.1), first: 7 });
  t.equal(planTakeOver([last(1)], fast(1.5)), undefined, 'not for a third of a second');
  t.equal(
    planTakeOver([last(0.1)], { node: 'new', bytesPerSecond: undefined }),
    undefined,
    'not to a stranger',
  );
  t.equal(
    planTakeOver([last(0.1)], { node: 'slow', bytesPerSecond: 10 * mib }),
    undefined,
    'not from a source to itself',
  );
  t.end();
});

t.test(
  'whoever takes over: nobody has more to do than before, nothing is lost, nothing is brought twice',
  (t) => {
    const transfer = fc.record({
      node: fc.constantFrom('a', 'b', 'c'),
      next: fc.nat(100),
      length: fc.integer({ min: 0, max: 64 }),
      mibPerSecond: fc.double({ min: 0.001, max: 1000, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(transfer, { maxLength: 8 }),
        fc.option(fc.double({ min: 0.001, max: 1000, noNaN: true }), { nil: undefined }),
        (transfers, mibPerSecond) => {
          const list = transfers.map(({ node, next, length, mibPerSecond: rate }) =>
            running(node, [next, next + length - 1], rate),
          );
          const bytesPerSecond = mibPerSecond === undefined ? undefined : mibPerSecond * mib;
          const planned = planTakeOver(list, { node: 'thief', bytesPerSecond });
          if (planned === undefined) return true;
          const { victim, first } = planned;
          const secondsOf = (chunks: number, rate: number): number => (chunks * mib) / rate;
          const before = secondsOf(victim.last - victim.next + 1, victim.bytesPerSecond);
          const theirs = secondsOf(first - victim.next, victim.bytesPerSecond);
          const ours = secondsOf(victim.last - first + 1, bytesPerSecond ?? victim.bytesPerSecond);
          return first >= victim.next && first <= victim.last && Math.max(theirs, ours) < before;
        },
      ),
    );
    t.end();
  },
);

t.test('what a transfer will bring: known at first, measured soon', (t) => {
  const rate = (receivedBytes: number, elapsedMs: number, known?: number) =>
    expectedRate({ receivedBytes, elapsedMs, known }) / mib;
  t.equal(rate(0, 0, 8 * mib), 8, 'nothing is held against one that has just begun');
  t.equal(rate(0, 0), 16, 'nor against a stranger');
  t.ok(rate(0, 60_000, 8 * mib) < 0.2, 'one that stands still is slow');
  t.ok(
    Math.abs(rate(1000 * mib, 10_000, 1 * mib) - 100) < 10,
    'one that is fast is fast, whatever it was before',
  );
  t.end();
});

t.test('a second of work at a time, within bounds', (t) => {
  t.equal(runChunks(undefined), 16);
  t.equal(runChunks(100), 4);
  t.equal(runChunks(30 * mib), 30);
  t.equal(runChunks(2000 * mib), 64);
  t.end();
});

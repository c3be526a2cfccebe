import t from 'tap';

import type { LoadLevel } from '../../../appliance/core/judge-load.ts';
import { yieldTo, type Yielding } from '../../../appliance/core/yield-rate.ts';

const mib = 2 ** 20;

/** Looks one after another, each measuring what the one before allowed. */
function looks(levels: readonly LoadLevel[], from: number): (number | undefined)[] {
  let yielding: Yielding;
  return levels.map((level) => {
    yielding = yieldTo(level, yielding, yielding?.bytesPerSecond ?? from);
    return yielding?.bytesPerSecond;
  });
}

t.test('busy halves the rate, look by look, and leaves a little', (t) => {
  t.same(looks(['normal', 'shed-fill', 'shed-fill', 'shed-fill'], 64 * mib), [
    undefined,
    32 * mib,
    16 * mib,
    8 * mib,
  ]);
  const long = looks(new Array<LoadLevel>(40).fill('shed-fill'), 64 * mib);
  t.equal(long.at(-1), 256 * 1024);
  t.end();
});

t.test('a box that refuses sessions leaves the least at once', (t) => {
  t.same(looks(['shed-new'], 64 * mib), [256 * 1024]);
  t.same(looks(['shed-fill', 'shed-all'], 64 * mib), [32 * mib, 256 * 1024]);
  t.end();
});

t.test('calm gives it back step by step, and then lets go', (t) => {
  const rates = looks(['shed-fill', 'shed-fill', ...new Array<LoadLevel>(20).fill('normal')], 64 * mib);
  const grown = rates.slice(2).filter((rate) => rate !== undefined);
  t.ok(grown.every((rate, at) => rate > (at === 0 ? 16 * mib : (grown[at - 1] ?? 0))));
  t.ok(grown.every((rate) => rate < 128 * mib));
  t.equal(rates.at(-1), undefined);
  t.end();
});

t.test('a fill that brings nothing is not held to nothing for ever', (t) => {
  t.equal(yieldTo('shed-fill', undefined, 0)?.bytesPerSecond, 256 * 1024);
  t.end();
});

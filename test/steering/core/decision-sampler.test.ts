import t from 'tap';
import { DecisionSampler } from '../../../steering/core/decision-sampler.ts';
import { seededRandom } from '../../support/seeded.ts';

/** Runs decisions at the given rates, a second each. */
function run(ratesPerSecond: readonly number[], perSecond: number) {
  const sampler = new DecisionSampler({ perSecond, fraction: seededRandom(1) });
  let nowMs = 0;
  return ratesPerSecond.map((rate) => {
    let samples = 0;
    let weight = 0;
    for (let decision = 0; decision < rate; decision++) {
      nowMs += 1000 / rate;
      const stands = sampler.take(() => nowMs);
      if (stands > 0) samples++;
      weight += stands;
    }
    return { rate, samples, weight };
  });
}

t.test('few decisions are all recorded', (test) => {
  test.same(run([5, 5, 5], 50).map(({ samples, weight }) => [samples, weight]), [[5, 5], [5, 5], [5, 5]]); // prettier-ignore
  test.end();
});

t.test('many are sampled, at about the rate that is asked for, and their weights sum up to all', (test) => {
  const rates = [10, 100_000, 100_000, 1000, 1000, 100_000, 100_000, 30, 30];
  const seconds = run(rates, 50);
  const total = seconds.reduce((sum, { weight }) => sum + weight, 0);
  const all = rates.reduce((sum, rate) => sum + rate, 0);
  test.ok(Math.abs(total - all) <= 4000, `${total} of ${all}`);
  for (const at of [2, 4]) {
    const { samples = 0 } = seconds[at] ?? {};
    test.ok(samples > 25 && samples < 100, `${samples} samples in a second`);
  }
  test.equal(seconds[8]?.samples, 30, 'and all again once there are few');
  test.end();
});

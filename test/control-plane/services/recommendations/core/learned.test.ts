import fc from 'fast-check';
import t from 'tap';

import { Learned } from '../../../../../control-plane/services/recommendations/core/learned.ts';

const dayMs = 86_400_000;
const nowMs = 20_000 * dayMs;

t.test('what is begun more than usual trends, where it is begun', async (t) => {
  const learned = new Learned({ titlesMax: 10 });
  for (let day = 60; day > 0; day--)
    for (let time = 0; time < 10; time++) learned.noteBegun('always', 'DE', nowMs - day * dayMs);
  for (let time = 0; time < 60; time++) learned.noteBegun('of-late', 'DE', nowMs - dayMs);
  learned.noteBegun('elsewhere', 'FR', nowMs);
  const trend = (id: string, region?: string): number => learned.trendOf(id, region, nowMs);
  t.ok(trend('of-late', 'DE') > trend('always', 'DE'), 'more than what is always watched');
  t.ok(trend('elsewhere', 'FR') > 0);
  t.equal(trend('elsewhere', 'DE'), trend('elsewhere'), 'where nothing is known of a region, as everywhere');
  t.equal(trend('unknown', 'DE'), 0);
  t.ok(learned.popularityOf('always', nowMs) > learned.popularityOf('of-late', nowMs));
  t.equal(learned.trendOf('of-late', 'DE', nowMs + 400 * dayMs), 0, 'it fades');
});

t.test('the order in which beginnings are told changes nothing', async (t) => {
  const times = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(times, times, (days, shuffled) => {
      const order = [...days.keys()].sort((one, other) => (shuffled[one] ?? 0) - (shuffled[other] ?? 0));
      const trendOf = (told: readonly number[]): number => {
        const learned = new Learned({ titlesMax: 10 });
        for (const day of told) learned.noteBegun('title', undefined, nowMs - day * dayMs);
        return learned.trendOf('title', undefined, nowMs);
      };
      const [one, other] = [trendOf(days), trendOf(order.map((at) => days[at] ?? 0))];
      t.ok(Math.abs(one - other) < 1e-9, `${one} and ${other}`);
    }),
    { numRuns: 50 },
  );
});

t.test('company is counted both ways, bounded, and forgotten for what a model knows', async (t) => {
  const learned = new Learned({ titlesMax: 1000 });
  learned.noteTogether('new', ['old', 'new']);
  learned.noteTogether('new', ['old']);
  t.strictSame(learned.togetherWith('new'), { old: 2 });
  t.strictSame(learned.togetherWith('old'), { new: 2 });
  learned.noteTogether(
    'new',
    Array.from({ length: 300 }, (_, at) => `other-${at}`),
  );
  t.ok(Object.keys(learned.togetherWith('new')).length <= 100);
  t.equal(learned.togetherWith('new')['old'], 2, 'the rarest company goes');
  learned.forgetTogether((id) => id === 'new');
  t.strictSame(learned.togetherWith('new'), {});
  t.strictSame(learned.togetherWith('old'), { new: 2 });

  const full = new Learned({ titlesMax: 1 });
  full.noteBegun('one', undefined, nowMs);
  full.noteBegun('two', undefined, nowMs);
  t.equal(full.trendOf('two', undefined, nowMs), 0, 'there is no room for more titles');
  const again = new Learned({ titlesMax: 10 });
  for (const [id, held] of learned.takeChanged()) again.restore(id, held);
  t.strictSame(again.togetherWith('old'), { new: 2 });
  t.strictSame(learned.takeChanged(), [], 'told once');
});

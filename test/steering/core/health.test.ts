import fc from 'fast-check';
import t from 'tap';
import {
  doubt,
  holdLastGood,
  observe,
  unprobed,
  type Observation,
  type ProbeState,
  type SeenState,
} from '../../../steering/core/health.ts';

const policy = { downAfter: 2, upAfter: 2 };
const good: Observation = { kind: 'ok', draining: false, probeMs: 1 };
const drains: Observation = { kind: 'ok', draining: true, probeMs: 1 };
const bad: Observation = { kind: 'failed', reason: 'ECONNREFUSED' };

const after = (observations: readonly Observation[], from = unprobed(0)): ProbeState =>
  observations.reduce(
    (state, observation, at) =>
      observe(state, observation, { nowMs: 1000 + at, monotonicMs: at + 1, policy }),
    from,
  );

t.test('one bad probe is not enough, two are; and it takes two good ones to return', (t) => {
  t.equal(after([good]).verdict, 'up');
  t.equal(after([bad]).verdict, 'unknown');
  t.equal(after([good, bad]).verdict, 'up');
  t.equal(after([good, bad, good, bad]).verdict, 'up');
  t.match(after([good, bad, bad]), {
    verdict: 'down',
    reason: 'ECONNREFUSED',
    sinceMs: 3,
    lastProbeMs: 1002,
  });
  t.equal(after([bad, bad, good]).verdict, 'down');
  t.equal(after([bad, bad, good, bad, good]).verdict, 'down', 'the good ones must be in a row');
  t.match(after([bad, bad, good, good]), { verdict: 'up', sinceMs: 4 });
  t.equal(after([good, drains]).verdict, 'draining', 'what a box says of itself is believed at once');
  t.equal(after([good, drains, good]).verdict, 'up');
  t.end();
});

t.test('a verdict turns only after as many observations in a row as the policy says', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (outcomes) => {
      let state = after([good]);
      for (const [at, isGood] of outcomes.entries()) {
        const next = observe(state, isGood ? good : bad, { nowMs: at, monotonicMs: at, policy });
        const last = outcomes.slice(Math.max(0, at - 1), at + 1);
        if (next.verdict !== state.verdict && (last.length < 2 || last[0] !== last[1])) return false;
        state = next;
      }
      return true;
    }),
  );
  t.end();
});

t.test('a doubt makes one failure decide, and turns nothing by itself', (t) => {
  const doubted = doubt(after([good]), policy);
  t.equal(doubted.verdict, 'up');
  t.equal(after([bad], doubted).verdict, 'down');
  t.equal(after([good, bad], doubted).verdict, 'up', 'a good probe ends it');
  t.equal(doubt(after([bad, bad]), policy).against, 0);
  t.end();
});

t.test('a node that has no way in a family says nothing of anybody', (t) => {
  const blind: Observation = { kind: 'blind', reason: 'no IPv6 here' };
  t.match(after([good, blind]), { verdict: 'unknown', previous: 'up', reason: 'no IPv6 here', sinceMs: 2 });
  t.match(after([bad, bad, blind, blind]), { verdict: 'unknown', sinceMs: 3 });
  t.equal(after([good, blind, good]).verdict, 'up');
  t.end();
});

t.test('where everything dies in one moment, the last good state is kept', (t) => {
  const downAt = (sinceMs: number): ProbeState => ({
    ...unprobed(0),
    verdict: 'down',
    previous: 'up',
    reason: 'timeout',
    sinceMs,
  });
  const world = (...states: ProbeState[]) => new Map(states.map((state, at) => [`n${at}`, state]));
  const shown = (map: ReadonlyMap<string, SeenState>) => [...map.values()].map((state) => state.verdict);
  const apart = holdLastGood(world(downAt(1_000), after([good])), 10_000);
  t.match([apart.holding, shown(apart.states)], [false, ['down', 'up']]);
  const all = holdLastGood(world(downAt(1_000), downAt(50_000), downAt(51_000)), 10_000);
  t.match(
    [all.holding, shown(all.states)],
    [true, ['down', 'up', 'up']],
    'what was dead long before stays dead',
  );
  t.match(all.states.get('n2')?.reason, /every box looks dead.*timeout/);
  const never = holdLastGood(world({ ...downAt(1), previous: 'unknown' }), 10_000);
  t.strictSame(shown(never.states), ['unknown'], 'what was never seen well is not made well');
  t.equal(holdLastGood(new Map(), 1).holding, false);
  t.equal(holdLastGood(world(unprobed(0), downAt(1)), 10_000).holding, false, 'an unprobed box is not dead');
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import { rank, rankPolicyDefault, rankQueryOf } from '../../../steering/core/rank.ts';
import {
  address,
  appliance,
  bundleOf,
  mapOf,
  rankInputOf,
  route,
  viewOf,
} from '../../support/steering-maps.ts';

const memberArb = fc.record({
  site: fc.constantFrom('a', 'b', 'c'),
  med: fc.constantFrom(0, 0, 0, 1, 9000),
  role: fc.constantFrom('appliance', 'appliance', 'appliance', 'appliance', 'origin'),
  state: fc.constantFrom('ready', 'ready', 'ready', 'draining'),
  headroom: fc.constantFrom(1, 1, 1, 0),
  addresses: fc.constantFrom([], [], ['192.0.2.1'], ['2001:db8::1']),
  kept: fc.constantFrom(1, 1, 1, 0.5, 0),
  holds: fc.constantFrom(true, true, true, false),
  mayFetch: fc.boolean(),
});
const policyArb = fc.record({
  order: fc
    .shuffledSubarray(['class', 'as-path', 'med', 'distance'] as const)
    .map((rest) => ['prefix-length' as const, ...rest]),
  waysMax: fc.integer({ min: 2, max: 6 }),
});
/** The weights of boxes, in turn. */
const weightsArb = fc.constantFrom([1], [1], [1, 2], [0]);

t.test('among many around one prefix too, the quick answer is that of looking at everybody', (t) => {
  fc.assert(
    fc.property(
      fc.array(memberArb, { minLength: 4, maxLength: 34, size: 'max' }),
      fc.record({ policy: policyArb, weights: weightsArb, firstWays: fc.integer({ min: 1, max: 6 }) }),
      fc.constantFrom(bundleOf('0'), bundleOf('1'), undefined),
      (members, { policy, weights, firstWays }, bundle) => {
        const appliances = members.map(
          ({ med, site, role, mayFetch, kept: _kept, holds: _holds, ...box }, at) =>
            appliance(`n${at}`, {
              ...{ ...box, site, role, cluster: site, weight: weights[at % weights.length] },
              routes: role === 'origin' ? [] : [route('10.0.0.0/8', { med })],
              ...(mayFetch && { mayFetch }),
            } as never),
        );
        const holders = [...members.keys()].filter((at) => members[at]?.holds);
        const view = viewOf(mapOf(appliances, { bundles: [{ bundle: bundleOf('0'), holders }] }));
        const asked = { client: address('10.1.2.3'), bundle };
        const input = rankInputOf(view, asked, { policy: { ...rankPolicyDefault, ...policy } });
        const { ranker, state } = input;
        members.forEach(({ kept }, at) => (state.kept[at] = kept));
        // The second time what was found out of the set is known; the third time no more is asked than the first ways.
        for (const first of [Infinity, Infinity, firstWays]) {
          const wanted = rank(input).ways.map((way) => way.appliance.id);
          ranker.rank({ ...rankQueryOf(view, input), firstWays: first }, state);
          const slots = [...ranker.ways.subarray(0, ranker.wayCount)];
          const found = slots.map((slot) => view.appliances[ranker.appliances[slot] ?? -1]?.id);
          t.strictSame(found.slice(0, first), wanted.slice(0, first));
          if (!ranker.isCut) t.strictSame(found, wanted);
        }
      },
    ),
    { numRuns: 80 },
  );
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import type { Route } from '../../../common/contract/documents.ts';
import { unprobed, type ProbeState, type Verdict } from '../../../steering/core/health.ts';
import { rankKeys } from '../../../steering/core/rank-keys.ts';
import {
  compareCandidates,
  rank,
  rankAmong,
  rankPolicyDefault,
  rankQueryOf,
  type RankAsked,
  type RankInput,
  type RankPolicy,
  type Ranking,
} from '../../../steering/core/rank.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import {
  address,
  appliance,
  bundleOf,
  mapOf,
  origin,
  rankInputOf,
  route,
  viewOf,
  type TestAppliance,
} from '../../support/steering-maps.ts';

const probe = (verdict: Verdict): ProbeState => ({ ...unprobed(0), verdict, reason: `made ${verdict}` });

interface World {
  appliances: TestAppliance[];
  verdicts: Map<string, Verdict>;
  client: string;
}

type Asked = Partial<RankAsked> & { view?: SteeringView };

function inputOf(
  world: World,
  { view = viewOf(mapOf(world.appliances)), ...more }: Asked = {},
  policy: Partial<RankPolicy> = {},
): RankInput {
  const health = new Map([...world.verdicts].map(([id, verdict]) => [id, probe(verdict)]));
  return rankInputOf(
    view,
    { client: address(world.client), bundle: bundleOf('0'), ...more },
    { health, policy: { ...rankPolicyDefault, ...policy } },
  );
}

const ids = ({ ways }: Ranking): string[] => ways.map((way) => way.appliance.id);

const routeArb: fc.Arbitrary<Route> = fc.record({
  prefix: fc.constantFrom(
    '10.0.0.0/8',
    '10.1.0.0/16',
    '10.1.2.0/24',
    '11.0.0.0/8',
    '0.0.0.0/0',
    '2001:db8::/32',
  ),
  asPathLength: fc.nat(3),
  med: fc.nat(2),
  class: fc.constantFrom('embedded', 'private', 'public'),
});
const verdictArb = fc.constantFrom<Verdict>('up', 'up', 'down', 'unknown', 'draining');
const worldArb: fc.Arbitrary<World> = fc
  .array(
    fc.record({
      site: fc.constantFrom('a', 'b', 'c'),
      routes: fc.array(routeArb, { maxLength: 4 }),
      state: fc.constantFrom('ready', 'ready', 'ready', 'draining', 'lost'),
      headroom: fc.constantFrom(0, 0.5, 1),
      reasons: fc.constantFrom([], [], ['CLOCK_SKEW: 40 s'], ['DISK_FULL']),
      role: fc.constantFrom('appliance', 'appliance', 'appliance', 'origin'),
      verdict: verdictArb,
    }),
    { maxLength: 10 },
  )
  .chain((nodes) =>
    fc.record({
      appliances: fc.constant(
        nodes.map(({ verdict: _, ...node }, at) =>
          appliance(`n${at}`, { ...node, cluster: node.site } as never),
        ),
      ),
      verdicts: fc.constant(new Map(nodes.map(({ verdict }, at) => [`n${at}`, verdict]))),
      client: fc.constantFrom('10.1.2.3', '10.9.9.9', '11.0.0.1', '12.0.0.1', '2001:db8::1', '2a00::1'),
    }),
  );

/** Whether a node is one to which nobody should be sent. */
function unwell(world: World, id: string): boolean {
  const node = world.appliances.find((candidate) => candidate.id === id);
  const verdict = world.verdicts.get(id);
  const quarantined = node?.reasons.some((reason) => reason.startsWith('CLOCK_SKEW'));
  const lost = node?.state === 'lost' && verdict !== 'up';
  return (
    verdict === 'down' || verdict === 'draining' || node?.state === 'draining' || lost || quarantined === true
  );
}

t.test('an unwell box is never answered, a full one only where all are full', (t) => {
  fc.assert(
    fc.property(worldArb, (world) => {
      const answer = rank(inputOf(world));
      if (ids(answer).some((id) => unwell(world, id))) return false;
      return (
        answer.overfull || answer.ways.every(({ appliance: a }) => a.role === 'origin' || a.headroom >= 0.05)
      );
    }),
  );
  t.end();
});

t.test('origins stand last, ways are distinct, and there are enough of them', (t) => {
  fc.assert(
    fc.property(worldArb, (world) => {
      const { ways, qualified } = rank(inputOf(world));
      const roles = ways.map((way) => way.appliance.role);
      const last = roles.lastIndexOf('appliance');
      const first = roles.indexOf('origin');
      if (first >= 0 && first < last) return false;
      if (roles.length > 0 && qualified.some((c) => c.appliance.role === 'origin') && first < 0) return false;
      if (new Set(ways.map((way) => way.index)).size !== ways.length || ways.length > 4) return false;
      return ways.length >= Math.min(3, qualified.length) && ways[0] === qualified[0];
    }),
  );
  t.end();
});

t.test('where two sites qualify, the answer has two', (t) => {
  fc.assert(
    fc.property(worldArb, (world) => {
      const { ways, qualified } = rank(inputOf(world));
      const sites = (list: Ranking['ways']) =>
        new Set(list.filter((c) => c.appliance.role === 'appliance').map((c) => c.appliance.site)).size;
      return sites(qualified) < 2 || sites(ways) >= 2;
    }),
  );
  t.end();
});

t.test('the answer depends neither on the order of the map nor on anything else', (t) => {
  fc.assert(
    fc.property(worldArb, fc.infiniteStream(fc.nat()), (world, chance) => {
      const shuffled = world.appliances
        .map((node) => ({ node: { ...node, routes: node.routes.toReversed() }, at: chance.next().value }))
        .sort((a, b) => a.at - b.at)
        .map(({ node }) => node);
      const answer = ids(rank(inputOf(world)));
      const again = ids(rank(inputOf({ ...world, appliances: shuffled })));
      return JSON.stringify(answer) === JSON.stringify(again);
    }),
  );
  t.end();
});

const orderArb = fc.shuffledSubarray([...rankKeys], { minLength: 1 });
const placeArb = fc.option(fc.record({ latitude: fc.integer({ min: -2, max: 2 }), longitude: fc.constantFrom(0, 90) }), { nil: undefined }); // prettier-ignore

t.test('what qualifies is in the order in which candidates are compared one by one', (t) => {
  fc.assert(
    fc.property(
      worldArb,
      orderArb,
      fc.array(placeArb, { minLength: 10, maxLength: 10 }),
      (world, order, places) => {
        const appliances = world.appliances.map((node, at) => ({
          ...node,
          weight: 1 + (at % 2),
          ...(at % 3 === 0 && { mayFetch: true as const }),
          ...(places[at] !== undefined && { place: places[at] }),
        }));
        const holders = [...appliances.keys()].filter((at) => at % 4 !== 0);
        const view = viewOf(mapOf(appliances, { bundles: [{ bundle: bundleOf('0'), holders }] }));
        const input = inputOf({ ...world, appliances }, { view, place: places.at(-1) }, { order });
        input.state.kept.forEach((_, at) => (input.state.kept[at] = at % 5 === 0 ? 0 : 1));
        const { qualified } = rank(input);
        return qualified.every((candidate, at) => {
          const next = qualified[at + 1];
          return next === undefined || compareCandidates(candidate, next, order).sign < 0;
        });
      },
    ),
  );
  t.end();
});

t.test('an answer that stops looking once it is settled is that of looking at everybody', (t) => {
  fc.assert(
    fc.property(worldArb, orderArb, fc.integer({ min: 2, max: 5 }), (world, order, waysMax) => {
      const input = inputOf(world, {}, { order, waysMax });
      const { view, ranker, state } = input;
      const wanted = ids(rank(input));
      ranker.rank(rankQueryOf(view, input), state);
      const slots = [...ranker.ways.subarray(0, ranker.wayCount)];
      const found = slots.map((slot) => view.appliances[ranker.appliances[slot] ?? -1]?.id);
      return JSON.stringify(found) === JSON.stringify(wanted);
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('a ranking of some tells of them what that of all tells', (t) => {
  fc.assert(
    fc.property(worldArb, fc.uniqueArray(fc.nat(9), { maxLength: 4 }), (world, some) => {
      const input = inputOf(world);
      const these = some.filter((index) => index < world.appliances.length);
      const of = ({ qualified, removed }: Ranking) =>
        [...qualified, ...removed].filter(({ index }) => these.includes(index));
      const all = rank(input, these);
      const among = rankAmong(input, these);
      t.strictSame(
        of(among).toSorted((a, b) => a.index - b.index),
        of(all).toSorted((a, b) => a.index - b.index),
      );
      t.strictSame(
        among.qualified,
        all.qualified.filter(({ index }) => these.includes(index)),
      );
      return among.matchedLength === all.matchedLength && among.overfull === all.overfull;
    }),
  );
  t.end();
});

const routed = fc.record({
  prefix: fc.constantFrom('10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24'),
  asPathLength: fc.nat(3),
  med: fc.nat(3),
  class: fc.constantFrom('embedded' as const, 'private' as const, 'public' as const),
});
const better: Record<string, (route: Route) => Route> = {
  'prefix-length': (r) => ({ ...r, prefix: '10.1.2.0/24' }),
  class: (r) => ({ ...r, class: 'embedded' }),
  'as-path': (r) => ({ ...r, asPathLength: 0 }),
  med: (r) => ({ ...r, med: 0 }),
};

for (const [key, improve] of Object.entries(better)) {
  t.test(`monotone: a better ${key} never makes a box rank lower`, (t) => {
    fc.assert(
      fc.property(fc.array(routed, { minLength: 1, maxLength: 8 }), fc.nat(), (routes, pick) => {
        const at = pick % routes.length;
        const position = (list: Route[]): number => {
          const appliances = list.map((r, index) => appliance(`n${index}`, { routes: [r] }));
          const { qualified } = rank(inputOf({ appliances, verdicts: new Map(), client: '10.1.2.3' }));
          return qualified.findIndex((candidate) => candidate.appliance.id === `n${at}`);
        };
        return position(routes.map((r, index) => (index === at ? improve(r) : r))) <= position(routes);
      }),
    );
    t.end();
  });
}

t.test('monotone: being nearer never makes a box rank lower', (t) => {
  const place = fc.record({
    latitude: fc.integer({ min: -80, max: 80 }),
    longitude: fc.integer({ min: -170, max: 170 }),
  });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 8 }), place, fc.nat(), (places, client, pick) => {
      const at = pick % places.length;
      const position = (list: typeof places): number => {
        const appliances = list.map((p, index) => appliance(`n${index}`, { place: p }));
        const world = { appliances, verdicts: new Map<string, Verdict>(), client: '10.1.2.3' };
        const { qualified } = rank(inputOf(world, { place: client }));
        return qualified.findIndex((candidate) => candidate.appliance.id === `n${at}`);
      };
      return position(places.map((p, index) => (index === at ? client : p))) <= position(places);
    }),
  );
  t.end();
});

t.test('the keys are compared in their order', (t) => {
  const order = (a: Partial<TestAppliance>, b: Partial<TestAppliance>): string[] =>
    ids(
      rank(
        inputOf({
          appliances: [appliance('a', a), appliance('b', b)],
          verdicts: new Map(),
          client: '10.1.2.3',
        }),
      ),
    );
  const routes = (r: Route): Partial<TestAppliance> => ({ routes: [r] });
  const far = { asPathLength: 9, class: 'public', med: 9 } as const;
  t.strictSame(
    order(routes(route('10.0.0.0/8')), routes(route('10.1.0.0/16', far))),
    ['b', 'a'],
    'longest prefix',
  );
  t.strictSame(order(routes(route('10.0.0.0/8', { class: 'private' })), routes(route('10.0.0.0/8', { ...far, class: 'embedded' }))), ['b', 'a'], 'class'); // prettier-ignore
  t.strictSame(order(routes(route('10.0.0.0/8', { asPathLength: 2, med: 0 })), routes(route('10.0.0.0/8', { med: 9 }))), ['b', 'a'], 'AS path'); // prettier-ignore
  t.strictSame(
    order(routes(route('10.0.0.0/8', { med: 1 })), routes(route('10.0.0.0/8'))),
    ['b', 'a'],
    'missing MED is 0',
  );
  t.end();
});

t.test('an embedded box serves its own network only; a default route brings nobody in', (t) => {
  const appliances = [
    appliance('mine', { routes: [route('10.0.0.0/8'), route('0.0.0.0/0'), route('::/0')] }),
    appliance('exchange', { site: 'x', routes: [route('11.0.0.0/8', { class: 'public' })] }),
    origin(),
  ];
  const at = (client: string, list = appliances): string[] =>
    ids(rank(inputOf({ appliances: list, verdicts: new Map(), client })));
  t.strictSame(at('10.0.0.1'), ['mine', 'exchange', 'origin']);
  t.strictSame(at('12.0.0.1'), ['exchange', 'origin']);
  t.strictSame(at('2001:db8::1'), ['exchange', 'origin']);
  t.strictSame(at('12.0.0.1', [appliances[0]!, origin()]), ['origin'], 'nobody else: the origin alone');
  t.end();
});

t.test('address family, holdings and drains', (t) => {
  const v6 = { addresses: ['192.0.2.1'], routes: [route('2001:db8::/32')] };
  const appliances = [
    appliance('v4-only', v6),
    appliance('both', { ...v6, addresses: ['192.0.2.2', '2001:db8::2'] }),
  ];
  const world = { appliances, verdicts: new Map<string, Verdict>(), client: '2001:db8::9' };
  const answer = rank(inputOf(world));
  t.strictSame(ids(answer), ['both']);
  t.equal(answer.removed[0]?.removedBy, 'address-family');
  t.strictSame(ids(rank(inputOf(world, { family: 4 }))).sort(), ['both', 'v4-only']);
  t.strictSame(ids(rank(inputOf(world, { bundle: bundleOf('1') }))), [], 'held by nobody');
  t.strictSame(ids(rank(inputOf({ ...world, verdicts: new Map([['both', 'draining']]) }))), []);
  t.end();
});

t.test('a box that the control plane lost serves on while the probes see it well', (t) => {
  const appliances = [appliance('cut-off', { state: 'lost' }), origin()];
  const at = (verdict: Verdict): string[] =>
    ids(rank(inputOf({ appliances, verdicts: new Map([['cut-off', verdict]]), client: '10.0.0.1' })));
  t.strictSame(at('up'), ['cut-off', 'origin']);
  t.strictSame(at('unknown'), ['origin']);
  t.strictSame(at('down'), ['origin']);
  t.end();
});

t.test('adding a box to a cluster moves few bundles', (t) => {
  const first = (n: number, bundle: string): string | undefined => {
    const appliances = Array.from({ length: n }, (_, at) => appliance(`n${at}`));
    const view = viewOf({
      ...mapOf(appliances),
      bundles: [{ bundle, holders: [...appliances.keys()] }],
    });
    return ids(rank(inputOf({ appliances, verdicts: new Map(), client: '10.0.0.1' }, { view, bundle })))[0];
  };
  const bundles = Array.from({ length: 400 }, (_, at) => at.toString(16).padStart(64, '0'));
  for (const n of [2, 4, 8]) {
    const moved =
      bundles.filter((bundle) => first(n - 1, bundle) !== first(n, bundle)).length / bundles.length;
    t.ok(moved <= 1 / n + 0.05, `${moved} of the bundles move to the box number ${n}`);
  }
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import { chooseTtlS, orderPathways } from '../../../steering/core/content-steering.ts';
import { unprobed, type Verdict } from '../../../steering/core/health.ts';
import { rankKeys } from '../../../steering/core/rank-keys.ts';
import { rank, type Ranking } from '../../../steering/core/rank.ts';
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

const view = viewOf(
  mapOf([
    appliance('near', { routes: [route('10.1.0.0/16')] }),
    appliance('mate', { routes: [route('10.0.0.0/8')] }),
    appliance('foreign', { routes: [route('11.0.0.0/8')] }),
    origin(),
  ]),
);
const ranking = (client: string, verdicts: Record<string, Verdict> = {}, of = view) =>
  rank(
    rankInputOf(
      of,
      { client: address(client), bundle: bundleOf('0') },
      { health: new Map(Object.entries(verdicts).map(([id, verdict]) => [id, { ...unprobed(0), verdict }])) },
    ),
    of.appliances.keys(),
  );

const stay = { order: rankKeys, leavesFull: false };
const at = (current: string, left: string[] = []) => ({ current, left: new Map(left.map((id) => [id, 1])) });
/** As a player is answered that says nothing of where it is. */
const orderOf = (declared: string[], ranked: Ranking | undefined) =>
  orderPathways({ declared, current: undefined, left: new Map() }, ranked, stay);

t.test('the rank, restricted to the session, then the rest of it', (t) => {
  const session = ['origin', 'mate', 'near'];
  t.strictSame(orderOf(session, ranking('10.1.0.1')), {
    pathways: ['near', 'mate', 'origin'],
    incident: false,
  });
  t.strictSame(orderOf(session, ranking('10.1.0.1', { near: 'down' })), {
    pathways: ['mate', 'origin', 'near'],
    incident: true,
  });
  const worse = ranking('10.1.0.1', { near: 'down', mate: 'draining' });
  t.strictSame(orderOf(['near', 'mate', 'foreign', 'gone'], worse).pathways, [
    'foreign',
    'mate',
    'near',
    'gone',
  ]);
  t.strictSame(orderOf(session, undefined), { pathways: session, incident: true }, 'no map yet');
  t.end();
});

t.test('an address that no route reaches does not throw a session off its boxes', (t) => {
  const session = ['mate', 'near', 'origin'];
  t.strictSame(orderOf(session, ranking('2001:db8::1')), { pathways: session, incident: false });
  t.strictSame(orderOf(session, ranking('2001:db8::1', { mate: 'down' })).pathways, [
    'near',
    'origin',
    'mate',
  ]);
  t.strictSame(
    orderOf(session, ranking('11.0.0.1')).pathways,
    ['origin', 'mate', 'near'],
    'a foreign network',
  );
  t.end();
});

t.test('a box that has lost all its routes keeps no session, whose routes went with it', (t) => {
  const alone = (more: Partial<TestAppliance>) => viewOf(mapOf([appliance('box', more), origin()]));
  const orderIn = (more: Partial<TestAppliance>) =>
    orderOf(['box', 'origin'], ranking('10.1.2.3', {}, alone(more))).pathways;
  const routeFeed = { routeFeed: true } as const;
  t.strictSame(orderIn(routeFeed), ['box', 'origin']);
  t.strictSame(orderIn({ ...routeFeed, routes: [] }), ['origin', 'box']);
  t.strictSame(
    orderIn({ ...routeFeed, routes: [route('11.0.0.0/8')] }),
    ['box', 'origin'],
    'the address may have changed',
  );
  t.strictSame(orderIn({ routes: [] }), ['box', 'origin'], 'it learns none, and serves strangers');
  t.end();
});

t.test('a session that waits at the origin for its boxes to hold the title asks again soon', (t) => {
  const declared = ['near', 'mate', 'origin'];
  const held = (holders: readonly number[]) => {
    const boxes = [
      appliance('near'),
      appliance('mate'),
      appliance('foreign', { routes: [route('11.0.0.0/8')] }),
      origin(),
    ];
    const of = viewOf(mapOf(boxes, { bundles: [{ bundle: bundleOf('0'), holders }] }));
    return orderOf(declared, ranking('10.1.0.1', {}, of));
  };
  t.strictSame(
    held([3]),
    { pathways: ['origin', 'near', 'mate'], incident: true },
    'none is known to hold it',
  );
  t.strictSame(held([1, 3]), { pathways: ['mate', 'origin', 'near'], incident: false }, 'one does');
  const foreign = orderOf(['foreign', 'origin'], ranking('10.1.0.1'));
  t.strictSame(
    foreign,
    { pathways: ['origin', 'foreign'], incident: false },
    'the origin for lack of a route',
  );
  t.end();
});

const twins = viewOf(
  mapOf([
    appliance('twin-1', { headroom: 0.5 }),
    appliance('twin-2'),
    appliance('full', { headroom: 0.01 }),
    appliance('longer', { routes: [route('10.1.0.0/16')] }),
    origin(),
  ]),
);
const amongTwins = (client: string, verdicts: Record<string, Verdict> = {}) =>
  ranking(client, verdicts, twins);

t.test('only those who gain move', (t) => {
  const declared = ['twin-1', 'twin-2', 'origin'];
  for (const current of ['twin-1', 'twin-2']) {
    const { pathways, incident } = orderPathways({ declared, ...at(current) }, amongTwins('10.2.0.1'), stay);
    t.equal(pathways[0], current, 'a tie of every key moves nobody');
    t.notOk(incident);
  }
  const first = (current: string, ranked: Ranking, ids = declared) =>
    orderPathways({ declared: ids, ...at(current) }, ranked, stay).pathways[0];
  t.equal(first('twin-1', amongTwins('10.2.0.1', { 'twin-1': 'down' })), 'twin-2', 'ill');
  t.equal(first('twin-1', amongTwins('10.2.0.1', { 'twin-1': 'draining' })), 'twin-2', 'draining');
  t.not(first('origin', amongTwins('10.2.0.1')), 'origin', 'back from the origin');
  const withLonger = ['twin-1', 'longer', 'origin'];
  t.equal(first('twin-1', amongTwins('10.1.0.1'), withLonger), 'longer', 'a longer prefix');
  t.equal(first('twin-1', amongTwins('10.2.0.1'), withLonger), 'twin-1');
  t.not(first('gone', amongTwins('10.2.0.1')), 'gone', 'where it is, is none of the session');
  t.end();
});

t.test('a full box lets go of a few at a time', (t) => {
  const session = { declared: ['twin-1', 'full', 'origin'], ...at('full') };
  const answer = (leavesFull: boolean) =>
    orderPathways(session, amongTwins('10.2.0.1'), { order: rankKeys, leavesFull }).pathways;
  t.strictSame(answer(false), ['full', 'twin-1', 'origin']);
  t.strictSame(answer(true), ['twin-1', 'origin', 'full']);
  t.end();
});

t.test('what failed a player stands behind all that is well, and before what is ill', (t) => {
  const declared = ['twin-1', 'twin-2', 'origin'];
  const left = orderPathways({ declared, ...at('twin-2', ['twin-1']) }, amongTwins('10.2.0.1'), stay);
  t.strictSame(left, { pathways: ['twin-2', 'origin', 'twin-1'], incident: true });
  const ill = amongTwins('10.2.0.1', { origin: 'down' });
  t.strictSame(orderPathways({ declared, ...at('twin-2', ['twin-1']) }, ill, stay).pathways, [
    'twin-2',
    'twin-1',
    'origin',
  ]);
  const all = orderPathways({ declared, ...at('origin', declared) }, amongTwins('10.2.0.1'), stay).pathways;
  t.equal(all.at(-1), 'origin', 'where all have failed it, the rank decides');
  t.end();
});

t.test('always the same pathways, each once', (t) => {
  const ids = fc.shuffledSubarray(['near', 'mate', 'foreign', 'origin', 'unknown-1', 'unknown-2']);
  const verdict = fc.constantFrom<Verdict>('up', 'down', 'draining', 'unknown');
  const session = fc.record({
    declared: ids,
    current: fc.constantFrom('near', 'mate', 'foreign', 'origin', 'unknown-1'),
    left: fc.subarray(['near', 'mate', 'origin']).map((left) => new Map(left.map((id) => [id, 1]))),
  });
  const ranked = fc
    .record({ client: fc.ipV4(), verdicts: fc.record({ near: verdict, mate: verdict, origin: verdict }) })
    .map(({ client, verdicts }) => ranking(client, verdicts));
  fc.assert(
    fc.property(session, ranked, fc.boolean(), (asked, known, leavesFull) => {
      const { pathways } = orderPathways(asked, known, { order: rankKeys, leavesFull });
      return JSON.stringify([...pathways].sort()) === JSON.stringify([...asked.declared].sort());
    }),
  );
  t.end();
});

t.test('TTL is a whole number of seconds within its bounds', (t) => {
  const policy = { healthyS: 300, incidentMinS: 10, incidentMaxS: 30 };
  t.equal(chooseTtlS(policy, false, 0.9), 300);
  const spread = { ...policy, healthySpread: 0.1 };
  t.strictSame(
    [0, 0.5, 0.999].map((fraction) => chooseTtlS(spread, false, fraction)),
    [270, 300, 330],
  );
  t.equal(chooseTtlS(policy, true, 0), 10);
  t.equal(chooseTtlS(policy, true, 0.999), 30);
  t.equal(chooseTtlS({ healthyS: 0, incidentMinS: 0, incidentMaxS: 0 }, true, 0.5), 1);
  t.end();
});

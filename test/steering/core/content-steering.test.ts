import fc from 'fast-check';
import t from 'tap';
import { chooseTtlS, orderPathways } from '../../../steering/core/content-steering.ts';
import { unprobed, type Verdict } from '../../../steering/core/health.ts';
import { rank, rankPolicyDefault } from '../../../steering/core/rank.ts';
import { address, appliance, bundleOf, mapOf, origin, route, viewOf } from '../../support/steering-maps.ts';

const view = viewOf(
  mapOf([
    appliance('near', { routes: [route('10.1.0.0/16')] }),
    appliance('mate', { routes: [route('10.0.0.0/8')] }),
    appliance('foreign', { routes: [route('11.0.0.0/8')] }),
    origin(),
  ]),
);
const ranking = (client: string, verdicts: Record<string, Verdict> = {}) =>
  rank(
    {
      view,
      health: new Map(Object.entries(verdicts).map(([id, verdict]) => [id, { ...unprobed(0), verdict }])),
      client: address(client),
      bundle: bundleOf('0'),
      policy: rankPolicyDefault,
    },
    view.appliances.keys(),
  );

t.test('the rank, restricted to the session, then the rest of it', (t) => {
  const session = ['origin', 'mate', 'near'];
  t.strictSame(orderPathways(session, ranking('10.1.0.1')), {
    pathways: ['near', 'mate', 'origin'],
    incident: false,
  });
  t.strictSame(orderPathways(session, ranking('10.1.0.1', { near: 'down' })), {
    pathways: ['mate', 'origin', 'near'],
    incident: true,
  });
  const worse = ranking('10.1.0.1', { near: 'down', mate: 'draining' });
  t.strictSame(orderPathways(['near', 'mate', 'foreign', 'gone'], worse).pathways, [
    'foreign',
    'mate',
    'near',
    'gone',
  ]);
  t.strictSame(orderPathways(session, undefined), { pathways: session, incident: true }, 'no map yet');
  t.end();
});

t.test('an address that no route reaches does not throw a session off its boxes', (t) => {
  const session = ['mate', 'near', 'origin'];
  t.strictSame(orderPathways(session, ranking('2001:db8::1')), { pathways: session, incident: false });
  t.strictSame(orderPathways(session, ranking('2001:db8::1', { mate: 'down' })).pathways, [
    'near',
    'origin',
    'mate',
  ]);
  t.strictSame(
    orderPathways(session, ranking('11.0.0.1')).pathways,
    ['origin', 'mate', 'near'],
    'a foreign network',
  );
  t.end();
});

t.test('always the same pathways, each once', (t) => {
  const ids = fc.shuffledSubarray(['near', 'mate', 'foreign', 'origin', 'unknown-1', 'unknown-2']);
  const verdict = fc.constantFrom<Verdict>('up', 'down', 'draining', 'unknown');
  fc.assert(
    fc.property(
      ids,
      fc.ipV4(),
      fc.record({ near: verdict, mate: verdict, origin: verdict }),
      (declared, client, verdicts) => {
        const { pathways } = orderPathways(declared, ranking(client, verdicts));
        return JSON.stringify([...pathways].sort()) === JSON.stringify([...declared].sort());
      },
    ),
  );
  t.end();
});

t.test('TTL is a whole number of seconds within its bounds', (t) => {
  const policy = { healthyS: 300, incidentMinS: 10, incidentMaxS: 30 };
  t.equal(chooseTtlS(policy, false, 0.9), 300);
  t.equal(chooseTtlS(policy, true, 0), 10);
  t.equal(chooseTtlS(policy, true, 0.999), 30);
  t.equal(chooseTtlS({ healthyS: 0, incidentMinS: 0, incidentMaxS: 0 }, true, 0.5), 1);
  t.end();
});

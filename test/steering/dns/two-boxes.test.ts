import t from 'tap';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createBrain, type Brain } from '../../../steering/brain.ts';
import { rankPolicyDefault } from '../../../steering/core/rank.ts';
import type { Places } from '../../../steering/core/rank-query.ts';
import {
  address,
  appliance,
  mapOf,
  origin,
  route,
  viewOf,
  type TestAppliance,
} from '../../support/steering-maps.ts';

const ttl = { healthyS: 30, incidentMinS: 5, incidentMaxS: 5 };

function brainOf(appliances: readonly TestAppliance[], places?: Places): Brain {
  const view = viewOf(mapOf(appliances));
  return createBrain({
    ...{ ttl, dnsTtl: ttl, policy: rankPolicyDefault, placeUnknown: undefined, incidentMs: 60_000 },
    view: () => view,
    monitor: { health: () => new Map(), holding: () => false },
    places: () => places,
    changedAtMs: () => undefined,
    isConnected: () => true,
    clock: createManualClock(),
    fraction: () => 0,
  });
}

const namedBy = (brain: Brain, nodes: readonly number[] = []): (string | undefined)[] =>
  nodes.map((node) => brain.view()?.appliances[node]?.id);

t.test('where there is one box, or one and the origin, nobody is asked twice', (t) => {
  const exchange = { site: 'ix', routes: [], addresses: ['192.0.2.1'] };
  for (const boxes of [
    [appliance('box', exchange)],
    [appliance('box', exchange), origin('origin', { addresses: ['192.0.2.9'] })],
    [appliance('box', { ...exchange, addresses: [] }), origin('origin', { addresses: ['192.0.2.9'] })],
  ]) {
    let asked = 0;
    const places = {
      find: () => {
        asked++;
        return { place: undefined, bits: 0 };
      },
    };
    const brain = brainOf(boxes, places);
    const nodes = brain.steer(address('10.1.2.3'), 4, undefined)?.nodes;
    t.strictSame(
      namedBy(brain, nodes).length,
      1,
      'the first of those that have an address is the whole answer',
    );
    t.equal(asked, 1);
  }
  t.end();
});

t.test('where the best boxes have no address, those behind them are in the answer', (t) => {
  // Six around one prefix: the first ways of it are found quickly, and no more.
  const boxes = Array.from({ length: 6 }, (_, at) =>
    appliance(`box-${at}`, {
      ...{ site: `site-${at % 2}`, addresses: at < 3 ? [] : [`192.0.2.${at}`] },
      routes: [route('10.0.0.0/8', { asPathLength: at + 1 })],
    }),
  );
  const brain = brainOf(boxes);
  const answered = (): unknown => namedBy(brain, brain.steer(address('10.1.2.3'), 4, undefined)?.nodes);
  t.strictSame(answered(), ['box-3']);
  t.strictSame(brain.rank({ client: address('10.1.2.3'), bundle: '0'.repeat(64) })?.length, 4);
  t.end();
});

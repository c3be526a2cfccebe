import t from 'tap';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { rankPolicyDefault } from '../../steering/core/rank.ts';
import { createOutlooks } from '../../steering/outlook.ts';
import { appliance, mapOf, viewOf } from '../support/steering-maps.ts';

const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } as const;

/** How many viewers a node sends to a box before it sends some of them on. */
function viewersUntilFull(nodes: number): number {
  const steering = Array.from({ length: nodes }, (_, at) => ({ id: `node-${at}`, key }));
  const view = viewOf(mapOf([appliance('box')], { steering }));
  const outlook = createOutlooks({
    ...{ view: () => view, health: () => new Map(), policy: rankPolicyDefault },
    clock: createManualClock(),
  })();
  let viewers = 0;
  for (; outlook?.state.kept[0] === 1; viewers++) outlook.decide(0);
  return viewers;
}

t.test('each steering node of the map is taken to send as many viewers as this one', (t) => {
  const alone = viewersUntilFull(1);
  t.ok(alone > 1000);
  t.equal(viewersUntilFull(0), alone, 'a map of before them');
  t.equal(viewersUntilFull(4), Math.ceil((alone - 1) / 4), 'a quarter for each of four');
  t.end();
});

import t from 'tap';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createBrain } from '../../../steering/brain.ts';
import { shardBits, shardOf } from '../../../steering/core/bundle-shard.ts';
import { firstRowWith } from '../../../steering/core/holdings.ts';
import { rankPolicyDefault } from '../../../steering/core/rank.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { address, appliance, bundleOf, mapOf, origin, viewOf } from '../../support/steering-maps.ts';

const shardText = (shard: number): string => shard.toString(16).padStart(5, '0');

const ttl = { healthyS: 30, incidentMinS: 5, incidentMaxS: 5 };
const brainOf = (view: SteeringView) =>
  createBrain({
    ...{ ttl, dnsTtl: ttl, policy: rankPolicyDefault, placeUnknown: undefined, incidentMs: 60_000 },
    view: () => view,
    monitor: { health: () => new Map(), holding: () => false },
    changedAtMs: () => undefined,
    isConnected: () => true,
    clock: createManualClock(),
    fraction: () => 0,
  });

t.test('a bundle has the shard of its first digits; the first by name stands for all of one', (t) => {
  t.equal(shardText(shardOf(`0a1b2${'0'.repeat(59)}`)), '0a1b2');
  const names = ['ffffff', 'ffffe1', '00000a', 'fffff0'].map((text) => text.padEnd(64, '7'));
  const { holdings } = viewOf(mapOf([], { bundles: names.map((bundle) => ({ bundle, holders: [] })) }));
  const rowOf = (value: number): number => firstRowWith(holdings, { value, bits: shardBits });
  t.strictSame([0, 0xffffe, 0xfffff].map(rowOf), [0, 1, 2]);
  t.strictSame([1, 0xffffd].map(rowOf), [-1, -1]);
  t.end();
});

t.test('what the origin answers for since no box is known to hold it yet is asked for again soon', (t) => {
  const boxes = [
    appliance('box', { addresses: ['192.0.2.1'] }),
    origin('origin', { addresses: ['192.0.2.9'] }),
  ];
  const bundles = [
    { bundle: bundleOf('3'), holders: [1] },
    { bundle: bundleOf('7'), holders: [0, 1] },
  ];
  const brain = brainOf(viewOf(mapOf(boxes, { bundles })));
  const ask = (client: string, digit: string) => brain.steer(address(client), 4, shardOf(bundleOf(digit)));
  t.match(ask('10.1.2.3', '3'), { nodes: [1], ttlS: 5 });
  t.match(ask('10.1.2.3', '7'), { nodes: [0], ttlS: 30 });
  t.match(ask('11.1.2.3', '3'), { nodes: [1], ttlS: 30 }, 'no box would serve this network');
  t.end();
});

t.test('DNS sends a shard to the homes that HTTP sends its bundle to', (t) => {
  const appliances = Array.from({ length: 6 }, (_, at) =>
    appliance(`isp-a-${at}`, { addresses: [`192.0.2.${at}`] }),
  );
  const bundles = ['3', '7', 'c'].map((digit, at) => ({
    bundle: bundleOf(digit),
    holders: [at, at + 2, at + 3],
  }));
  const view = viewOf(mapOf(appliances, { bundles }));
  const brain = brainOf(view);
  const client = address('10.1.2.3');
  for (const { bundle, holders } of bundles) {
    const nodes = brain.steer(client, 4, shardOf(bundle))?.nodes ?? [];
    const ways = brain.rank({ client, bundle })?.map(({ id }) => view.indexOf.get(id)) ?? [];
    t.strictSame(nodes, ways.slice(0, 2));
    t.ok(nodes.every((node) => holders.includes(node)));
  }
  const untitled = brain.steer(client, 4, undefined);
  t.strictSame(brain.steer(client, 4, 0x12345), untitled, 'a shard without titles is as none');
  t.end();
});

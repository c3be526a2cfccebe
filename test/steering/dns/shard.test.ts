import t from 'tap';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createBrain } from '../../../steering/brain.ts';
import { shardBits, shardOf } from '../../../steering/core/bundle-shard.ts';
import { firstRowWith } from '../../../steering/core/holdings.ts';
import { rankPolicyDefault } from '../../../steering/core/rank.ts';
import { address, appliance, bundleOf, mapOf, viewOf } from '../../support/steering-maps.ts';

const shardText = (shard: number): string => shard.toString(16).padStart(5, '0');

t.test('a bundle has the shard of its first digits; the first by name stands for all of one', (t) => {
  t.equal(shardText(shardOf(`0a1b2${'0'.repeat(59)}`)), '0a1b2');
  const names = ['ffffff', 'ffffe1', '00000a', 'fffff0'].map((text) => text.padEnd(64, '7'));
  const { holdings } = viewOf(mapOf([], { bundles: names.map((bundle) => ({ bundle, holders: [] })) }));
  const rowOf = (value: number): number => firstRowWith(holdings, { value, bits: shardBits });
  t.strictSame([0, 0xffffe, 0xfffff].map(rowOf), [0, 1, 2]);
  t.strictSame([1, 0xffffd].map(rowOf), [-1, -1]);
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
  const ttl = { healthyS: 30, incidentMinS: 5, incidentMaxS: 5 };
  const brain = createBrain({
    view: () => view,
    monitor: { health: () => new Map(), holding: () => false },
    policy: rankPolicyDefault,
    ttl,
    dnsTtl: ttl,
    placeUnknown: undefined,
    changedAtMs: () => undefined,
    incidentMs: 60_000,
    isConnected: () => true,
    clock: createManualClock(),
    fraction: () => 0,
  });
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

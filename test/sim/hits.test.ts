import t from 'tap';

import { policyNames } from '../../appliance/core/eviction/policy.ts';
import { rungCount } from '../support/sim/catalogue.ts';
import { makeDemand, slotsPerDay } from '../support/sim/demand.ts';
import { runPlanned, type PlannedOptions } from '../support/sim/planned.ts';
import { runReactive } from '../support/sim/reactive.ts';

const boxesBySite = [2, 3];
const titles = 150;
const days = 6;
const demand = makeDemand({
  ...{ seed: 5, boxesBySite, days, titles, launchesPerNight: 3 },
  ...{ alpha: 0.8, rankChurn: 0.05, viewingsPerBoxDay: 180 },
});
const catalogueBytes = demand.catalogue.fileBytes
  .subarray(0, titles * rungCount)
  .reduce((sum, bytes) => sum + bytes, 0);
const boxBytes = Math.floor(0.06 * catalogueBytes);
const shared = { boxesBySite, boxBytes, countFromSlot: 3 * slotsPerDay };
const planned: PlannedOptions = {
  ...shared,
  churnShare: 0.05,
  capBytesPerSecond: (0.05 * boxBytes) / (12 * 3600),
  placement: { copiesMin: 2, keepBonus: 0.5, ladderWorth: 1 },
  planHours: 4,
};

t.test(
  'every policy is asked for the same bytes, and Belady hits the most of the reactive ones',
  async (t) => {
    const tallies = policyNames.map((policy) => ({ policy, ...runReactive(demand, { ...shared, policy }) }));
    const belady = tallies.find(({ policy }) => policy === 'belady')!;
    for (const { policy, askedBytes, hitBytes, writtenBytes } of tallies) {
      t.equal(askedBytes, belady.askedBytes, policy);
      t.equal(hitBytes + writtenBytes, askedBytes, `${policy} writes what it misses`);
      t.ok(hitBytes > 0 && hitBytes <= belady.hitBytes, policy);
    }
  },
);

t.test('planned fill serves the same demand, and writes no more than it may', async (t) => {
  const tally = runPlanned(demand, planned);
  t.equal(tally.askedBytes, runReactive(demand, { ...shared, policy: 'lru' }).askedBytes);
  t.ok(tally.hitBytes > 0.2 * tally.askedBytes);
  const boxDays = 5 * (days - 3);
  t.ok(tally.writtenBytes > 0 && tally.writtenBytes <= boxDays * planned.churnShare * boxBytes);
});

t.test(
  'what is planned is what is served: with room for everything nothing is missed but what came out meanwhile',
  async (t) => {
    const roomy = { ...planned, churnShare: 1, capBytesPerSecond: 1e12, boxBytes: 3 * catalogueBytes };
    const tally = runPlanned(demand, roomy);
    t.ok(tally.hitBytes > 0.99 * tally.askedBytes, `${tally.hitBytes} of ${tally.askedBytes}`);
  },
);

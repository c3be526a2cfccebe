import t from 'tap';

import { seededRandom } from '../support/seeded.ts';
import { rungCount, slicesMax } from '../support/sim/catalogue.ts';
import { makeDemand, slotsPerDay, type DemandOptions } from '../support/sim/demand.ts';
import { Ranking } from '../support/sim/ranking.ts';
import { AliasTable, zipfShares } from '../support/sim/sampling.ts';

const options: DemandOptions = {
  seed: 1,
  boxesBySite: [2, 3],
  days: 3,
  titles: 200,
  launchesPerNight: 10,
  alpha: 0.8,
  rankChurn: 0.2,
  viewingsPerBoxDay: 500,
};

t.test('weights are drawn in their proportion', async (t) => {
  const weights = [5, 0, 1, 3, 1];
  const table = new AliasTable(weights);
  const random = seededRandom(1);
  const drawn = weights.map(() => 0);
  for (let count = 0; count < 100_000; count++) drawn[table.draw(random)]!++;
  for (const [index, weight] of weights.entries()) {
    t.ok(Math.abs(drawn[index]! - weight * 10_000) < 400, `${weight} in 10: ${drawn[index]} of 100,000`);
  }
});

t.test("Zipf's shares fall with the rank to the power of alpha", async (t) => {
  const shares = zipfShares(1000, 1.1);
  t.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  t.ok(Math.abs(shares[0]! / shares[9]! - 10 ** 1.1) < 1e-9);
});

t.test('ranks change for as many titles as they should, and every title keeps one', async (t) => {
  const random = seededRandom(2);
  const ranking = new Ranking(1000, random);
  const before = [...ranking.titles];
  ranking.churn(0.2, random);
  const moved = ranking.titles.filter((title, rank) => before[rank] !== title).length;
  t.ok(moved > 160 && moved < 240, `${moved} of 1000 moved`);
  t.same(ranking.titles.toSorted(), before.toSorted());
  ranking.launch(1000, 5);
  t.equal(ranking.titles[5], 1000);
  t.equal(ranking.titles.length, 1001);
});

t.test('a demand is the same for the same seed, and asks for what there is', async (t) => {
  const demand = makeDemand(options);
  t.same(makeDemand(options), demand);
  t.equal(demand.launches.length, 30);
  t.equal(demand.sites.length, 2);
  const { sliceBytes } = demand.catalogue;
  for (const { slices, slotStarts } of demand.sites) {
    t.equal(slotStarts.length, 3 * slotsPerDay + 1);
    t.equal(slotStarts.at(-1), slices.length);
    t.ok(slices.length > 3000, 'several slices a viewing');
    t.ok(slices.every((slice) => sliceBytes[slice]! > 0));
  }
});

t.test('nobody asks for a title before it is out, and evenings are busier than nights', async (t) => {
  const demand = makeDemand(options);
  const firstDays = new Map(demand.launches.map(({ title, day }) => [title, day]));
  for (const { slices, slotStarts } of demand.sites) {
    for (let slot = 0; slot < 3 * slotsPerDay; slot++) {
      const day = Math.floor(slot / slotsPerDay);
      const early = slices
        .subarray(slotStarts[slot], slotStarts[slot + 1])
        .filter((slice) => (firstDays.get(Math.floor(slice / slicesMax / rungCount)) ?? 0) > day);
      if (early.length > 0) t.fail(`title of slice ${early[0]} is asked for on day ${day}`);
    }
    const count = (fromHour: number, toHour: number): number =>
      slotStarts[(slotsPerDay / 24) * (24 + toHour)]! - slotStarts[(slotsPerDay / 24) * (24 + fromHour)]!;
    t.ok(count(20, 22) > 3 * count(3, 5));
  }
});

import fc from 'fast-check';
import t from 'tap';
import { placeBundles, type PlacementProblem } from '../../../control-plane/core/placement.ts';
import { copiesByDemand } from '../../../control-plane/core/placement/place-cluster.ts';
import {
  box,
  bundlesOf,
  filled,
  ids,
  movedBytes,
  place,
  popularityOf,
  settings,
  title,
  type RatedBundle,
} from '../support/placement-lab.ts';

const problems = fc.record({
  bundles: fc.array(
    fc.record({
      sizeBytes: fc.integer({ min: 1, max: 2000 }),
      popularity: fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 1e6, noNaN: true })),
      bestShare: fc.double({ min: 0, max: 1, noNaN: true }),
      pinned: fc.boolean(),
      urgent: fc.boolean(),
    }),
    { maxLength: 30 },
  ),
  appliances: fc.array(
    fc.record({
      cluster: fc.constantFrom('a', 'b', 'c'),
      capacityBytes: fc.integer({ min: 0, max: 8000 }),
      throughput: fc.double({ min: 0, max: 10, noNaN: true }),
      churnBytes: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined }),
      leadsOn: fc.boolean(),
      held: fc.array(
        fc
          .tuple(fc.constantFrom('best', 'small', 'bundle'), fc.integer({ min: 0, max: 29 }))
          .map(([of, index]) => `${of}-${String(index)}`),
        { maxLength: 12 },
      ),
    }),
    { maxLength: 9 },
  ),
  ladderWorth: fc.constantFrom(0, 0.5, 1),
});

type Raw = typeof problems extends fc.Arbitrary<infer T> ? T : never;

function problemOf(raw: Raw): PlacementProblem & { bundles: readonly RatedBundle[] } {
  const bundles = raw.bundles.map((options, index) => title(String(index), options));
  return {
    bundles,
    appliances: raw.appliances.map((options, index) => box(`box-${String(index)}`, options)),
    popularity: popularityOf(bundles),
    settings: { ...settings, ladderWorth: raw.ladderWorth },
  };
}

t.test(
  'capacity less the reserve is never exceeded, and every bundle that is not whole has a reason',
  async (t) => {
    fc.assert(
      fc.property(problems, (raw) => {
        const problem = problemOf(raw);
        for (const appliance of placeBundles(problem)) {
          const capacityBytes = problem.appliances.find(({ id }) => id === appliance.id)?.capacityBytes ?? 0;
          const sumBytes = appliance.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          if (sumBytes !== appliance.plannedBytes || sumBytes > capacityBytes * 0.95) return false;
          if (new Set(appliance.files.map(({ file }) => file)).size !== appliance.files.length) return false;
          const known = new Set([...appliance.bundles, ...appliance.left.map(({ bundle }) => bundle)]);
          if (known.size !== problem.bundles.length) return false;
          if (appliance.left.length + appliance.bundles.length !== problem.bundles.length) return false;
        }
        return true;
      }),
    );
    t.pass('holds');
  },
);

t.test('the churn budget is never exceeded, but by what is pinned or urgent', async (t) => {
  fc.assert(
    fc.property(problems, (raw) => {
      const problem = problemOf(raw);
      const exempt = new Set(
        problem.bundles.filter((one) => one.pinned || one.urgent).map(({ bundle }) => bundle),
      );
      return placeBundles(problem).every(({ id, files, churnBytes }) => {
        const given = problem.appliances.find((one) => one.id === id);
        const added = files.filter(
          ({ file, bundle }) => given?.held.has(file) === false && !exempt.has(bundle),
        );
        const addedBytes = added.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        return (
          given?.churnBytes === undefined || (addedBytes === churnBytes && addedBytes <= given.churnBytes)
        );
      });
    }),
  );
  t.pass('holds');
});

t.test('the same parts in another order give the same placement', async (t) => {
  fc.assert(
    fc.property(problems, fc.infiniteStream(fc.integer({ min: 0, max: 1e9 })), (raw, stream) => {
      const problem = problemOf(raw);
      const shuffle = <T>(items: readonly T[]): T[] =>
        items
          .map((item) => ({ item, key: stream.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
      const again = placeBundles({
        ...problem,
        bundles: shuffle(problem.bundles),
        appliances: shuffle(problem.appliances).map((one) => ({
          ...one,
          held: new Set(shuffle([...one.held])),
        })),
      });
      return JSON.stringify(again) === JSON.stringify(placeBundles(problem));
    }),
  );
  t.pass('holds');
});

t.test(
  'what was placed and filled stays when nothing has changed: whatever was there before, from the second night on',
  async (t) => {
    fc.assert(
      fc.property(problems, (raw) => {
        const given = problemOf(raw);
        const free = given.appliances.map((appliance) => ({ ...appliance, churnBytes: undefined }));
        const first = placeBundles({ ...given, appliances: free });
        const second = placeBundles({ ...given, appliances: filled(free, first) });
        const third = placeBundles({ ...given, appliances: filled(free, second) });
        return movedBytes(second, third) === 0;
      }),
    );
    t.pass('holds');
  },
);

t.test('pinned first: the rest takes nothing from them', async (t) => {
  fc.assert(
    fc.property(problems, (raw) => {
      const problem = problemOf(raw);
      // One box a cluster: with several, the rest's demand rightly changes how many copies a pinned one gets.
      const appliances = problem.appliances.map((appliance) => ({ ...appliance, cluster: appliance.id }));
      const pinned = problem.bundles.filter((bundle) => bundle.pinned);
      const alone = placeBundles({ ...problem, bundles: pinned, appliances });
      const together = placeBundles({ ...problem, appliances });
      return alone.every(({ id, bundles }) => {
        const names = bundlesOf(together, id).filter((name) => pinned.some(({ bundle }) => bundle === name));
        return JSON.stringify(names) === JSON.stringify(bundles);
      });
    }),
  );
  t.pass('holds');
});

t.test('pinned come before the popular where there is room for one only', async (t) => {
  const bundles = [
    title('popular', { popularity: 1e9, sizeBytes: 900 }),
    title('pin', { pinned: true, popularity: 0, sizeBytes: 900 }),
  ];
  const [only] = place(bundles, [box('one')]);
  t.strictSame(only?.bundles, ['bundle-pin']);
  t.ok(only?.files.every(({ why }) => why === 'pinned'));
  t.match(only?.left, [{ bundle: 'bundle-popular', kind: 'no-room', needBytes: 900, freeBytes: 50 }]);
});

t.test('with room to spare every cluster holds every title, each box of a pair too', async (t) => {
  const placed = place(
    [title('film', { popularity: 0 }), title('other', { popularity: 3 })],
    [
      box('isp-a-1', { cluster: 'isp-a' }),
      box('isp-a-2', { cluster: 'isp-a' }),
      box('isp-b-1', { cluster: 'isp-b' }),
    ],
  );
  for (const { bundles } of placed) t.equal(bundles.length, 2);
  t.strictSame(
    placed.map(({ id }) => id),
    ['isp-a-1', 'isp-a-2', 'isp-b-1'],
  );
});

t.test('nothing to place, nowhere to place it, no demand, no size', async (t) => {
  t.strictSame(place([title('film')], []), []);
  t.match(place([], [box('one')]), [{ plannedBytes: 0, files: [], left: [] }]);
  const [none] = place([title('film'), title('other')], [box('one', { capacityBytes: 0 })]);
  t.strictSame(
    none?.left.map(({ kind }) => kind),
    ['too-large', 'too-large'],
  );
  const equal = ids(20, 't').map((name) => title(name, { popularity: 0 }));
  t.equal(place(equal, [box('one')])[0]?.bundles.length, 9, 'without demand as many as there is room for');
  const empty = { bundle: 'bundle-empty', pinned: false, files: [{ file: 'nothing', sizeBytes: 0 }] };
  const popularity = () => 0;
  const [holds] = placeBundles({ bundles: [empty], appliances: [box('one')], popularity, settings });
  t.strictSame(holds?.bundles, ['bundle-empty']);
});

t.test('what is larger than any box is explained, and the rest comes in its stead', async (t) => {
  const bundles = [
    title('huge', { sizeBytes: 5000, popularity: 1e6 }),
    title('film', { sizeBytes: 900 }),
    title('pin', { sizeBytes: 5000, pinned: true }),
  ];
  const [only] = place(bundles, [box('one')]);
  t.strictSame(only?.bundles, ['bundle-film']);
  t.match(only?.left, [
    { bundle: 'bundle-pin', kind: 'too-large', needBytes: 5000, usableBytes: 950 },
    { bundle: 'bundle-huge', kind: 'too-large' },
  ]);
});

t.test('copies grow with the share of the demand', async (t) => {
  t.equal(copiesByDemand(0, { demandSum: 0, boxCount: 4 }), 1);
  t.equal(copiesByDemand(1, { demandSum: 100, boxCount: 4 }), 1);
  t.equal(copiesByDemand(12.5, { demandSum: 100, boxCount: 4 }), 1);
  t.equal(copiesByDemand(25, { demandSum: 100, boxCount: 4 }), 2);
  t.equal(copiesByDemand(26, { demandSum: 100, boxCount: 4 }), 3);
  t.equal(copiesByDemand(100, { demandSum: 100, boxCount: 4 }), 4);
  // 3 × 0.1 ÷ 0.3 is 1.0000000000000002 in floating point.
  t.equal(copiesByDemand(0.1, { demandSum: 0.3, boxCount: 3 }), 2);
  const bundles = ids(30, 't').map((name, index) =>
    title(name, { popularity: 1000 / (index + 1), sizeBytes: 100 }),
  );
  const boxes = ids(8, 'box').map((id) => box(id, { capacityBytes: 800 }));
  const placed = place(bundles, boxes, { copiesMin: 1 });
  const copies = bundles.map(({ bundle }) => placed.filter((one) => one.bundles.includes(bundle)).length);
  t.strictSame(
    copies.toSorted((a, b) => b - a),
    copies,
    'the more popular, the more copies',
  );
  t.equal(copies[0], 5);
  t.equal(copies.at(-1), 1);
});

t.test('where room is short, every title has a copy before any has a spare one', async (t) => {
  const bundles = ids(8, 't').map((name, index) => title(name, { popularity: 8 - index, sizeBytes: 237 }));
  const placed = place(bundles, [box('one'), box('two')]);
  t.equal(new Set(placed.flatMap((one) => one.bundles)).size, 8);
  t.ok(placed.every(({ bundles: names }) => names.length === 4));
});

t.test('the hottest go by throughput, the long tail by room', async (t) => {
  const hot = ids(40, 'hot').map((name) => title(name, { popularity: 1000, sizeBytes: 100 }));
  const cold = ids(400, 'cold').map((name) => title(name, { popularity: 1, sizeBytes: 100 }));
  const flash = box('flash', { capacityBytes: 8000, throughput: 8 });
  const disks = box('disks', { capacityBytes: 32_000, throughput: 1 });
  const placed = place([...hot, ...cold], [flash, disks], { copiesMin: 1, reserveFraction: 0 });
  const shareOf = (id: string, kind: string): number =>
    bundlesOf(placed, id).filter((name) => name.startsWith(`bundle-${kind}`)).length /
    (kind === 'hot' ? 40 : 400);
  t.ok(
    shareOf('flash', 'hot') > 0.75,
    `${String(shareOf('flash', 'hot'))} of the hot, where 8/9 is its share`,
  );
  t.ok(
    shareOf('disks', 'cold') > 0.7,
    `${String(shareOf('disks', 'cold'))} of the cold, where 4/5 is its share`,
  );
});

t.test('a heavier box takes more of the titles', async (t) => {
  const appliances = [
    box('small', { capacityBytes: 1e9, throughput: 1 }),
    box('big', { capacityBytes: 1e9, throughput: 4 }),
  ];
  const flat = ids(300, 't').map((name) => title(name));
  const placed = place(flat, appliances, { copiesMin: 1 });
  const share = bundlesOf(placed, 'big').length / flat.length;
  t.ok(share > 0.72 && share < 0.88, `${String(share)} where 0.8 is its share`);
});

t.test('each site by what its own viewers want', async (t) => {
  const bundles = [title('here', { sizeBytes: 900 }), title('there', { sizeBytes: 900 })];
  const appliances = [
    box('one', { cluster: 'a', site: 'isp-a' }),
    box('two', { cluster: 'b', site: 'isp-b' }),
  ];
  const popularity: PlacementProblem['popularity'] = (site, { file }) =>
    file.endsWith(site === 'isp-a' ? 'here' : 'there') ? 9 : 1;
  const placed = placeBundles({ bundles, appliances, popularity, settings });
  t.strictSame(
    placed.map((one) => one.bundles),
    [['bundle-here'], ['bundle-there']],
  );
});

t.test(
  'ladders stay whole where the bundle is worth it; a file alone only where it is far more wanted',
  async (t) => {
    // What viewers want of each is one rendition in ten, of half of the bundle's bytes.
    const bundles = ids(8, 't').map((name) => title(name, { sizeBytes: 200, popularity: 5, bestShare: 1 }));
    const whole = place(bundles, [box('one')]);
    t.equal(whole[0]?.bundles.length, 4);
    t.equal(whole[0]?.files.length, 12, 'whole ladders only');
    const apart = place(bundles, [box('one')], { ladderWorth: 0 });
    const best = apart[0]?.files.filter(({ file }) => file.startsWith('best'));
    t.equal(best?.length, 8, 'the best rendition of every title');
    t.ok(best?.every(({ why }) => why === 'alone'));
    const lone = { ...title('lone', { sizeBytes: 2000, popularity: 0 }) };
    const popularity: PlacementProblem['popularity'] = (_, { file }) => (file === 'small-lone' ? 50 : 1);
    const [alone] = placeBundles({
      bundles: [lone, ...bundles],
      appliances: [box('one')],
      popularity,
      settings,
    });
    t.match(alone?.files[0], { file: 'small-lone', why: 'alone', popularity: 50 });
    t.match(alone?.left[0], { bundle: 'bundle-lone', kind: 'too-large' });
  },
);

t.test('a file shared by two bundles is stored once', async (t) => {
  const shared = { file: 'poster', sizeBytes: 500 };
  const bundles = ['x', 'y'].map((name) => {
    const one = title(name, { sizeBytes: 200 });
    return { ...one, files: [...one.files, shared, shared] };
  });
  const [only] = place(bundles, [box('one')]);
  t.equal(only?.plannedBytes, 900);
  t.equal(only?.bundles.length, 2);
  t.equal(only?.files.filter(({ file }) => file === 'poster').length, 1);
});

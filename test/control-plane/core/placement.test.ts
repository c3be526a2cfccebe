import fc from 'fast-check';
import t from 'tap';
import {
  copiesByDemand,
  placeBundles,
  type PlacedAppliance,
  type PlacementAppliance,
  type PlacementBundle,
  type PlacementSettings,
} from '../../../control-plane/core/placement.ts';

const settings: PlacementSettings = { reserveFraction: 0.05, copiesMin: 2, keepBonus: 0.5, leftMax: 1000 };

interface TitleOptions {
  sizeBytes?: number;
  popularity?: number;
  pinned?: boolean;
}

function title(
  name: string,
  { sizeBytes = 100, popularity = 1, pinned = false }: TitleOptions = {},
): PlacementBundle {
  const small = Math.floor(sizeBytes / 10);
  return {
    bundle: `bundle-${name}`,
    pinned,
    popularity,
    files: [
      { file: `bundle-${name}`, sizeBytes: small },
      { file: `video-${name}`, sizeBytes: sizeBytes - small },
    ],
  };
}

interface BoxOptions {
  cluster?: string;
  capacityBytes?: number;
  weight?: number;
  held?: Iterable<string>;
}

function box(id: string, options: BoxOptions = {}): PlacementAppliance {
  const { cluster = 'a', capacityBytes = 1000, weight = 1, held = [] } = options;
  return { id, cluster, capacityBytes, weight, held: new Set(held) };
}

function ids(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index)}`);
}

function bundlesOf(placed: readonly PlacedAppliance[], id: string): readonly string[] {
  return placed.find((appliance) => appliance.id === id)?.bundles ?? [];
}

/** What is placed, held by its box: the state after a fill. */
function filled(
  appliances: readonly PlacementAppliance[],
  placed: readonly PlacedAppliance[],
): PlacementAppliance[] {
  return appliances.map((appliance) => {
    const files = placed.find(({ id }) => id === appliance.id)?.files ?? [];
    return { ...appliance, held: new Set(files.map(({ file }) => file)) };
  });
}

/** Bytes that `after` wants on boxes where `before` did not. */
function movedBytes(before: readonly PlacedAppliance[], after: readonly PlacedAppliance[]): number {
  let moved = 0;
  for (const { id, files } of after) {
    const had = new Set(before.find((one) => one.id === id)?.files.map(({ file }) => file));
    for (const { file, sizeBytes } of files) if (!had.has(file)) moved += sizeBytes;
  }
  return moved;
}

const problems = fc.record({
  bundles: fc.array(
    fc.record({
      sizeBytes: fc.integer({ min: 1, max: 2000 }),
      popularity: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })),
      pinned: fc.boolean(),
    }),
    { maxLength: 30 },
  ),
  appliances: fc.array(
    fc.record({
      cluster: fc.constantFrom('a', 'b', 'c'),
      capacityBytes: fc.integer({ min: 0, max: 8000 }),
      weight: fc.double({ min: 0, max: 10, noNaN: true }),
      held: fc.array(
        fc.integer({ min: 0, max: 29 }).map((index) => `video-${String(index)}`),
        { maxLength: 8 },
      ),
    }),
    { maxLength: 9 },
  ),
});

function problemOf(raw: typeof problems extends fc.Arbitrary<infer T> ? T : never) {
  return {
    bundles: raw.bundles.map((options, index) => title(String(index), options)),
    appliances: raw.appliances.map((options, index) => box(`box-${String(index)}`, options)),
    settings,
  };
}

t.test('capacity less the reserve is never exceeded, and every left-out bundle has a reason', async (t) => {
  fc.assert(
    fc.property(problems, (raw) => {
      const problem = problemOf(raw);
      for (const appliance of placeBundles(problem)) {
        const capacityBytes = problem.appliances.find(({ id }) => id === appliance.id)?.capacityBytes ?? 0;
        const sumBytes = appliance.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        if (sumBytes !== appliance.plannedBytes || sumBytes > capacityBytes * 0.95) return false;
        const known = new Set([...appliance.bundles, ...appliance.left.map(({ bundle }) => bundle)]);
        if (known.size !== problem.bundles.length) return false;
        if (appliance.left.length + appliance.bundles.length !== problem.bundles.length) return false;
      }
      return true;
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
        appliances: shuffle(problem.appliances),
      });
      return JSON.stringify(again) === JSON.stringify(placeBundles(problem));
    }),
  );
  t.pass('holds');
});

t.test('pinned first: the rest takes nothing from them', async (t) => {
  fc.assert(
    fc.property(problems, (raw) => {
      const problem = problemOf(raw);
      // One box a cluster: with several, the rest's demand rightly changes how many copies a pinned one gets.
      const appliances = problem.appliances.map((appliance) => ({ ...appliance, cluster: appliance.id }));
      const pinned = problem.bundles.filter((bundle) => bundle.pinned);
      const alone = placeBundles({ bundles: pinned, appliances, settings });
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
  const [only] = placeBundles({ bundles, appliances: [box('one')], settings });
  t.strictSame(only?.bundles, ['bundle-pin']);
  t.match(only?.left, [{ bundle: 'bundle-popular', kind: 'no-room', needBytes: 900, freeBytes: 50 }]);
});

t.test('with room to spare every cluster holds every title, each box of a pair too', async (t) => {
  const placed = placeBundles({
    bundles: [title('film', { popularity: 0 }), title('other', { popularity: 3 })],
    appliances: [
      box('isp-a-1', { cluster: 'isp-a' }),
      box('isp-a-2', { cluster: 'isp-a' }),
      box('isp-b-1', { cluster: 'isp-b' }),
    ],
    settings,
  });
  for (const { bundles } of placed) t.equal(bundles.length, 2);
  t.strictSame(
    placed.map(({ id }) => id),
    ['isp-a-1', 'isp-a-2', 'isp-b-1'],
  );
});

t.test('copies grow with the share of the demand', async (t) => {
  t.equal(copiesByDemand(0, { demandSum: 0, boxCount: 4 }), 1);
  t.equal(copiesByDemand(1, { demandSum: 100, boxCount: 4 }), 1);
  t.equal(copiesByDemand(50, { demandSum: 100, boxCount: 4 }), 2);
  t.equal(copiesByDemand(51, { demandSum: 100, boxCount: 4 }), 3);
  t.equal(copiesByDemand(100, { demandSum: 100, boxCount: 4 }), 4);
  // 3 × 0.1 ÷ 0.3 is 1.0000000000000002 in floating point.
  t.equal(copiesByDemand(0.1, { demandSum: 0.3, boxCount: 3 }), 1);
});

t.test('where room is short, every title has a copy before any has a spare one', async (t) => {
  const bundles = ids(8, 't').map((name, index) => title(name, { popularity: 8 - index, sizeBytes: 237 }));
  const placed = placeBundles({ bundles, appliances: [box('one'), box('two')], settings });
  t.equal(new Set(placed.flatMap((one) => one.bundles)).size, 8);
  t.ok(placed.every(({ bundles: names }) => names.length === 4));
});

const catalog = ids(300, 't').map((name, index) =>
  title(name, { popularity: 1000 / (index + 1), sizeBytes: 50 + ((index * 37) % 100) }),
);
const fleet = ids(6, 'box').map((id) => box(id, { capacityBytes: 6000 }));
const storedBytes = placeBundles({ bundles: catalog, appliances: fleet, settings }).reduce(
  (sum, one) => sum + one.plannedBytes,
  0,
);

t.test('one more title moves little', async (t) => {
  const before = placeBundles({ bundles: catalog, appliances: fleet, settings });
  for (const popularity of [2000, 20, 0.1]) {
    const newcomer = title('new', { popularity, sizeBytes: 100 });
    const after = placeBundles({
      bundles: [...catalog, newcomer],
      appliances: filled(fleet, before),
      settings,
    });
    const moved = movedBytes(before, after);
    t.ok(
      moved <= storedBytes * 0.05,
      `popularity ${String(popularity)}: ${String(moved)} of ${String(storedBytes)} bytes move`,
    );
  }
});

t.test('a lost appliance moves little but its own share', async (t) => {
  const before = placeBundles({ bundles: catalog, appliances: fleet, settings });
  const left = filled(fleet, before).slice(1);
  const after = placeBundles({ bundles: catalog, appliances: left, settings });
  const lostBytes = before[0]?.plannedBytes ?? 0;
  const moved = movedBytes(before, after);
  t.ok(moved <= lostBytes * 1.5, `${String(moved)} bytes move where ${String(lostBytes)} were lost`);
});

t.test('a box that comes back takes its share without moving others', async (t) => {
  const before = placeBundles({ bundles: catalog, appliances: fleet, settings });
  const without = placeBundles({ bundles: catalog, appliances: filled(fleet, before).slice(1), settings });
  const again = placeBundles({ bundles: catalog, appliances: filled(fleet, without), settings });
  const [first] = fleet;
  const movedToOthers = movedBytes(
    without,
    again.filter(({ id }) => id !== first?.id),
  );
  t.ok(movedToOthers <= storedBytes * 0.05, `${String(movedToOthers)} bytes move between others`);
});

t.test(
  'what is held stays against a slightly more popular newcomer, not against a far more popular one',
  async (t) => {
    const held = title('held', { popularity: 10, sizeBytes: 900 });
    const appliances = [box('one', { held: held.files.map(({ file }) => file) })];
    const keep = placeBundles({
      bundles: [held, title('new', { popularity: 12, sizeBytes: 900 })],
      appliances,
      settings,
    });
    t.strictSame(keep[0]?.bundles, ['bundle-held']);
    const change = placeBundles({
      bundles: [held, title('new', { popularity: 16, sizeBytes: 900 })],
      appliances,
      settings,
    });
    t.strictSame(change[0]?.bundles, ['bundle-new']);
  },
);

t.test('a file shared by two bundles is stored once', async (t) => {
  const shared = { file: 'poster', sizeBytes: 500 };
  const bundles = ['x', 'y'].map((name) => ({
    ...title(name, { sizeBytes: 200 }),
    files: [...title(name, { sizeBytes: 200 }).files, shared],
  }));
  const [only] = placeBundles({ bundles, appliances: [box('one')], settings });
  t.equal(only?.plannedBytes, 900);
  t.equal(only?.bundles.length, 2);
  t.equal(only?.files.filter(({ file }) => file === 'poster').length, 1);
});

t.test('a heavier box takes more of the titles', async (t) => {
  const appliances = [
    box('small', { capacityBytes: 1e9, weight: 1 }),
    box('big', { capacityBytes: 1e9, weight: 4 }),
  ];
  const one = { ...settings, copiesMin: 1 };
  const flat = catalog.map((bundle) => ({ ...bundle, popularity: 1 }));
  const placed = placeBundles({ bundles: flat, appliances, settings: one });
  const share = bundlesOf(placed, 'big').length / flat.length;
  t.ok(share > 0.72 && share < 0.88, `${String(share)} where 0.8 is its share`);
});

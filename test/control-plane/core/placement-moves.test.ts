// What moves when little changes: bytes that a box is newly told to hold are bytes over somebody's link.
import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '../../support/seeded.ts';
import {
  addedBytes,
  box,
  bundlesOf,
  filled,
  ids,
  movedBytes,
  place,
  title,
  type RatedBundle,
} from '../support/placement-lab.ts';

/** 300 titles as popular as Zipf has it, times a factor that may change. */
function zipfTitles(factor: (index: number) => number = () => 1): RatedBundle[] {
  return ids(300, 't').map((name, index) =>
    title(name, { popularity: (1000 / (index + 1)) * factor(index), sizeBytes: 50 + ((index * 37) % 100) }),
  );
}

const catalog = zipfTitles();
const fleet = ids(6, 'box').map((id) => box(id, { capacityBytes: 2400 }));
const before = place(catalog, fleet);
const storedBytes = before.reduce((sum, one) => sum + one.plannedBytes, 0);
const held = filled(fleet, before);

t.test('the fleet is too small for the catalog, and full', async (t) => {
  t.ok(before.every(({ bundles }) => bundles.length < catalog.length));
  t.ok(storedBytes > 0.95 * 6 * 2400 * 0.95);
});

t.test('the same again moves nothing', async (t) => {
  t.equal(movedBytes(before, place(catalog, held)), 0);
});

t.test('one more title moves itself, and next to nothing else', async (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 2000, noNaN: true }),
      fc.integer({ min: 1, max: 300 }),
      (popularity, sizeBytes) => {
        const newcomer = title('new', { popularity, sizeBytes });
        const after = place([...catalog, newcomer], held);
        const copies = after.filter(({ bundles }) => bundles.includes('bundle-new')).length;
        return movedBytes(before, after) <= copies * sizeBytes + 0.01 * storedBytes;
      },
    ),
  );
  t.pass('holds');
});

t.test('one title less moves little: what comes in its stead', async (t) => {
  for (const gone of [0, 10, 60, 299]) {
    const after = place(
      catalog.filter((_, index) => index !== gone),
      held,
    );
    const copies = before.filter(({ bundles }) => bundles.includes(catalog[gone]?.bundle ?? '')).length;
    const moved = movedBytes(before, after);
    t.ok(moved <= copies * 150 + 0.01 * storedBytes, `${String(moved)} bytes for title ${String(gone)}`);
  }
});

t.test('a lost appliance moves no more than it held', async (t) => {
  for (const lost of fleet.keys()) {
    const after = place(catalog, held.toSpliced(lost, 1));
    const moved = movedBytes(before, after);
    t.ok(moved <= (before[lost]?.plannedBytes ?? 0), `${String(moved)} bytes for box ${String(lost)}`);
  }
});

t.test('a lost disk moves only its files: the others stay where they are', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1e6 }), (which, seed) => {
      // One of four disks of the box, with the whole titles that were on it.
      const random = seededRandom(seed);
      const lost = new Set(bundlesOf(before, `box-00${String(which)}`).filter(() => random() < 0.25));
      const onDisk = (file: string): boolean => lost.has(`bundle-${file.slice(file.indexOf('-') + 1)}`);
      const boxes = held.map((one, at) =>
        at === which
          ? { ...one, capacityBytes: 1800, held: new Set([...one.held].filter((file) => !onDisk(file))) }
          : one,
      );
      const lostBytes = [...(before[which]?.files ?? [])].reduce(
        (sum, { file, sizeBytes }) => sum + (onDisk(file) ? sizeBytes : 0),
        0,
      );
      const after = place(catalog, boxes);
      for (const { id, files } of after) {
        const had = boxes.find((one) => one.id === id)?.held;
        const strangers = files.filter(({ file }) => had?.has(file) === false && !onDisk(file));
        // What the smaller box can no longer keep and is worth a place elsewhere moves too: a title or two.
        const strangeBytes = strangers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        if (strangeBytes > 0.05 * lostBytes + 200) return false;
      }
      return true;
    }),
  );
  t.pass('holds');
});

t.test('a box that comes back takes its share without moving others', async (t) => {
  const without = place(catalog, held.slice(1));
  const again = place(catalog, filled(fleet, without));
  const [first] = fleet;
  const others = again.filter(({ id }) => id !== first?.id);
  t.ok(movedBytes(without, others) <= storedBytes * 0.01, 'next to nothing moves between others');
  t.ok((again[0]?.plannedBytes ?? 0) > 2000, 'and it is full');
});

t.test(
  'what is held stays against a slightly more popular newcomer, not against a far more popular one',
  async (t) => {
    const old = title('held', { popularity: 10, sizeBytes: 900 });
    const appliances = [box('one', { held: old.files.map(({ file }) => file) })];
    const keep = place([old, title('new', { popularity: 12, sizeBytes: 900 })], appliances);
    t.strictSame(keep[0]?.bundles, ['bundle-held']);
    t.ok(keep[0]?.files.every(({ why }) => why === 'kept'));
    const change = place([old, title('new', { popularity: 16, sizeBytes: 900 })], appliances);
    t.strictSame(change[0]?.bundles, ['bundle-new']);
  },
);

t.test('popularity that wavers makes next to nothing come and go', async (t) => {
  const random = seededRandom(7);
  let boxes = held;
  let moved = 0;
  for (let day = 0; day < 20; day++) {
    const placed = place(
      zipfTitles(() => 0.85 + 0.3 * random()),
      boxes,
    );
    moved += addedBytes(boxes, placed);
    boxes = filled(boxes, placed);
  }
  t.ok(moved <= 0.02 * storedBytes, `${String(moved)} of ${String(storedBytes)} bytes in twenty days`);
});

t.test('a ladder that has lost a part is made whole where it stands', async (t) => {
  const film = title('film', { popularity: 1, sizeBytes: 900 });
  const rival = title('rival', { popularity: 1.2, sizeBytes: 900 });
  const most = film.files.slice(1).map(({ file }) => file);
  const [one, two] = place([film, rival], [box('one', { held: most }), box('two')], { copiesMin: 1 });
  t.strictSame([one?.bundles, two?.bundles], [['bundle-film'], ['bundle-rival']]);
});

t.test('the churn budget spreads a change over nights, the most wanted first', async (t) => {
  const bundles = ids(8, 't').map((name, index) => title(name, { popularity: 8 - index, sizeBytes: 100 }));
  const pin = title('pin', { pinned: true, sizeBytes: 100 });
  let boxes = [box('one', { churnBytes: 250 })];
  const nights = [0, 1, 2, 3].map(() => {
    const placed = place([...bundles, pin], boxes);
    boxes = filled(boxes, placed);
    return placed;
  });
  t.strictSame(
    nights.map(([one]) => one?.bundles.length),
    [3, 5, 7, 9],
  );
  t.strictSame(nights[0]?.[0]?.bundles, ['bundle-pin', 'bundle-t-000', 'bundle-t-001']);
  t.match(nights[0]?.[0]?.left[0], {
    bundle: 'bundle-t-002',
    kind: 'churn-budget',
    needBytes: 100,
    budgetLeftBytes: 50,
  });
  const urgent = title('urgent', { urgent: true, popularity: 0, sizeBytes: 100 });
  const [one] = place([...bundles, urgent], [box('one', { churnBytes: 0 })]);
  t.strictSame(one?.bundles, ['bundle-urgent']);
  t.ok(one?.files.every(({ why }) => why === 'urgent'));
});

t.test('a title larger than the budget of a night comes in several', async (t) => {
  const film = title('film', { sizeBytes: 900, popularity: 9 });
  let boxes = [box('one', { churnBytes: 460 })];
  const nights = [0, 1, 2].map(() => {
    const [one] = place([film], boxes);
    boxes = filled(boxes, [one!]);
    return [one?.files.length, one?.bundles.length];
  });
  t.strictSame(nights, [
    [2, 0],
    [3, 1],
    [3, 1],
  ]);
});

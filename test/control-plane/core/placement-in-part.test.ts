import t from 'tap';
import { placeBundles, type PlacementProblem } from '../../../control-plane/core/placement.ts';
import { box, ids, place, settings, title, type RatedBundle } from '../support/placement-lab.ts';

/** Titles with a playlist that goes along, of 203 bytes each. */
function withPlaylists(count: number, bestShare: number): RatedBundle[] {
  return ids(count, 't').map((name) => {
    const one = title(name, { sizeBytes: 200, popularity: 5, bestShare });
    const playlist = { file: `playlist-${name}`, sizeBytes: 3, ext: 'm3u8' };
    const files = one.files.map((file) => (file.file === one.bundle ? { ...file, ext: 'json' } : file));
    return { ...one, files: [...files, playlist] };
  });
}

t.test('boxes that lead on hold single renditions, each with what goes along', async (t) => {
  const bundles = withPlaylists(12, 1);
  const [only] = place(bundles, [box('one', { leadsOn: true, capacityBytes: 959 })]);
  const held = Map.groupBy(only?.files ?? [], ({ file }) => file.slice(0, file.indexOf('-')));
  t.equal(held.get('best')?.length, 7, 'of 100 + 20 + 3 bytes each');
  t.equal(held.get('bundle')?.length, 7);
  t.equal(held.get('playlist')?.length, 7);
  t.equal(held.get('small'), undefined);
  const parts = held.get('best')?.map(({ bundle }) => bundle);
  t.strictSame(only?.offered.toSorted(), parts?.toSorted());
  t.strictSame(only?.bundles, []);
  t.strictSame(
    new Set(only?.left.filter(({ bundle }) => parts?.includes(bundle)).map(({ kind }) => kind)),
    new Set(['in-part']),
  );
  t.match(
    only?.left.find(({ kind }) => kind === 'in-part'),
    { plannedBytes: 123, needBytes: 80 },
  );
});

t.test('a cluster in which one box refuses keeps its ladders whole', async (t) => {
  const placed = place(withPlaylists(12, 0.5), [box('one', { leadsOn: true }), box('two')]);
  for (const { files, bundles } of placed) t.equal(files.length, 4 * bundles.length);
  t.strictSame(placed[0]?.offered.toSorted(), placed[0]?.bundles.toSorted(), 'what is whole is offered');
  t.strictSame(placed[1]?.offered, [], 'nothing is offered in part where the rest is refused');
});

t.test('a box is no way to a title for what hardly anybody plays of it', async (t) => {
  const [one] = withPlaylists(1, 1);
  const popularity: PlacementProblem['popularity'] = (_, { file }) =>
    file.startsWith('small') ? 3 : file.startsWith('best') ? 10 : 0;
  const held = (capacityBytes: number) =>
    placeBundles({
      bundles: [one!],
      appliances: [box('one', { leadsOn: true, capacityBytes })],
      popularity,
      settings: { ...settings, reserveFraction: 0 },
    })[0];
  t.match(held(110), { files: { length: 3 }, offered: [] }, 'only the small one fits');
  t.match(held(150), { files: { length: 3 }, offered: [one!.bundle] });
  t.match(held(203), { files: { length: 4 }, bundles: [one!.bundle], offered: [one!.bundle] });
});

t.test('what is held stays though the churn budget is spent, whatever should go along', async (t) => {
  const [one, two] = withPlaylists(2, 1);
  const [only] = place([one!, two!], [box('one', { leadsOn: true, churnBytes: 0, held: ['best-t-000'] })]);
  t.strictSame(
    only?.files.map(({ file }) => file),
    ['best-t-000'],
  );
});

t.test(
  'what is left of the churn budget is for what is wanted most, not for what happens to be small',
  async (t) => {
    const bundles = [
      title('hot', { sizeBytes: 400, popularity: 9, bestShare: 1 }),
      title('warm', { sizeBytes: 400, popularity: 8, bestShare: 1 }),
      title('cool', { sizeBytes: 100, popularity: 1, bestShare: 1 }),
    ];
    const [only] = place(bundles, [box('one', { leadsOn: true, churnBytes: 300 })]);
    t.strictSame(
      only?.files.map(({ file }) => file),
      ['best-hot'],
    );
    t.equal(only?.churnBytes, 200);
  },
);

t.test(
  'of a picture boxes that lead on hold the sizes that are looked at, with the bundle’s own file',
  async (t) => {
    const sizes = ['small.jpg', 'small.webp', 'large.jpg'];
    const picture = {
      ...{ bundle: 'picture', name: 'picture', pinned: false, urgent: false },
      files: [
        { file: 'picture', ext: 'json', sizeBytes: 2 },
        ...sizes.map((file) => ({ file, ext: file.slice(file.indexOf('.') + 1), sizeBytes: 50 })),
      ],
    };
    const held = (capacityBytes: number) =>
      placeBundles({
        bundles: [picture],
        appliances: [box('one', { leadsOn: true, capacityBytes })],
        popularity: (_, { file }) => (file === 'small.webp' ? 100 : 0),
        settings: { ...settings, reserveFraction: 0 },
      })[0]?.files.map(({ file }) => file);
    t.strictSame(held(60), ['picture', 'small.webp']);
    t.equal(held(1000)?.length, 4, 'all of it where there is room');
  },
);

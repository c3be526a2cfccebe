import t from 'tap';

import { pickArtwork } from '../../../../../control-plane/services/catalog/core/pick-artwork.ts';

type One = Parameters<typeof pickArtwork>[0][number][number] & { name: string };

const series: One[] = [
  { name: 'series', kind: 'poster' },
  { name: 'series de', kind: 'poster', language: 'de' },
  { name: 'series backdrop', kind: 'backdrop' },
  { name: 'series still', kind: 'still' },
];
const episode: One[] = [
  { name: 'fr', kind: 'logo', language: 'fr' },
  { name: 'still', kind: 'still' },
];

const names = (family: One[][], languages: string[], kinds?: string[]): string[] =>
  pickArtwork(family, { languages, kinds }).map(({ name }) => name);

t.test('of each kind one, in the language that is wanted, else without words, else any', async (t) => {
  t.same(names([series], ['de-AT', 'en']), ['series de', 'series backdrop', 'series still']);
  t.same(names([series], ['en']), ['series', 'series backdrop', 'series still']);
  t.same(names([episode], ['en']), ['fr', 'still']);
  t.same(names([series], ['de'], ['poster', 'no such']), ['series de']);
});

t.test('what a title lacks it has from what it is part of, but for stills', async (t) => {
  t.same(names([episode, [], series], ['de']), ['series de', 'series backdrop', 'fr', 'still']);
  t.same(names([[], series], []), ['series', 'series backdrop']);
  t.same(names([], []), []);
});

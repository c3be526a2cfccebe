import t from 'tap';
import { withTags } from '../../../../../control-plane/services/catalog/core/tags.ts';

const tags = { name: 'By its tags', year: 1999, genres: ['Drama'], synopsis: 'A story.', number: 3 };

t.test('tags take the place of guesses, and of nothing that was told', (t) => {
  t.strictSame(withTags({ metadata: { name: 'a.film' }, assumed: ['name'] }, tags), {
    metadata: { name: 'By its tags', year: 1999, genres: ['Drama'], synopsis: 'A story.' },
    assumed: [],
  });
  const told = { name: 'Told', year: 2000, synopsis: 'By hand.' };
  t.strictSame(withTags({ metadata: told, assumed: [] }, tags).metadata, { ...told, genres: ['Drama'] });
  const guessed = { name: 'Told', year: 2000 };
  t.match(withTags({ metadata: guessed, assumed: ['year'] }, { year: 1999 }).metadata, { year: 1999 });
  t.match(withTags({ metadata: { name: 'x', kind: 'episode' }, assumed: [] }, tags).metadata, { number: 3 });
  t.end();
});

t.test('a tag that no title may have spoils no other', (t) => {
  const hostile = { ...tags, name: '\u202egnp', genres: ['a\u200bb'] };
  t.strictSame(withTags({ metadata: { name: 'film' }, assumed: ['name'] }, hostile), {
    metadata: { name: 'film', year: 1999, synopsis: 'A story.' },
    assumed: ['name'],
  });
  const before = { metadata: { name: 'film' }, assumed: [] };
  t.equal(withTags(before, {}).metadata, before.metadata);
  t.end();
});

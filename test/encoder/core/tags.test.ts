import fc from 'fast-check';
import t from 'tap';
import { SourceTags } from '../../../common/contract/titles.ts';
import { conforms } from '../../../common/core/schema-check.ts';
import { sourceTags } from '../../../encoder/core/tags.ts';

const read = (tags: Record<string, string>): SourceTags =>
  sourceTags({ streams: [], format: { start_time: '0', duration: '1', tags } });

t.test('what a file tells of itself, however its tags are written', (t) => {
  t.strictSame(
    read({
      ...{ TITLE: ' Dekalog, One ', DATE: '1989-12-10', GENRE: 'Drama / Crime, (31)', episode_sort: '1' },
      ...{ synopsis: '', description: 'A boy computes.', encoder: 'Lavf62', comment: 'bought' },
    }),
    {
      ...{ name: 'Dekalog, One', year: 1989, number: 1, synopsis: 'A boy computes.' },
      genres: ['Drama', 'Crime'],
    },
  );
  const ogg = { codec_type: 'video', index: 0, tags: { TITLE: 'In Ogg' } };
  t.strictSame(sourceTags({ streams: [ogg], format: {} }), { name: 'In Ogg' });
  t.end();
});

t.test('what no title is', (t) => {
  for (const title of [
    'Film.2019.1080p.x264-GRP',
    'from www.example.com',
    '\u202egnp',
    'a\u0000b',
    'x'.repeat(201),
    '\u0958'.repeat(150),
  ])
    t.strictSame(read({ title }), {}, title);
  t.strictSame(read({ date: 'soon', episode_sort: '0', genre: '17;;' }), {});
  t.strictSame(read({ date: '0000', description: 'x'.repeat(6000) }), {});
  t.end();
});

t.test('whatever is in a file, the control plane can take it', async () => {
  const value = fc.string({ unit: 'binary', maxLength: 40 });
  const name = fc.constantFrom('title', 'Date', 'GENRE', 'description', 'synopsis', 'year', 'episode_sort');
  fc.assert(
    fc.property(fc.dictionary(name, value), (tags) => {
      const found = read(tags);
      if (conforms(SourceTags, found, { values: 10_000 }) !== true) throw new Error(JSON.stringify(found));
    }),
  );
});

import fc from 'fast-check';
import t from 'tap';

import { bm25, rarity } from '../../../../common/adapters/search/bm25.ts';
import { Columns } from '../../../../common/adapters/search/columns.ts';
import { wordedTexts } from '../../../../common/adapters/search/document-words.ts';
import type { SearchDocument } from '../../../../common/adapters/search/port.ts';
import { Vocabulary } from '../../../../common/adapters/search/vocabulary.ts';

const all = { documents: 1000, meanLength: 6 };

function fit(texts: SearchDocument['texts'], word: string, documents = 10): number {
  const query = { word, isBeginning: false, others: [] };
  const worded = wordedTexts({ texts });
  const length = worded.flatMap(({ words }) => words).length;
  return bm25(worded, [{ word: query, variants: new Set(['likewise']), documents }], { ...all, length });
}

t.test('BM25: rare words, names, short texts and more places count more', async (t) => {
  const title = fit({ title: ['one night'] }, 'night');
  // 10 places by the field's weight, in a text of 2 words of 6: 1.2 × (1 − 0.75 + 0.75 / 3) = 0.6.
  t.equal(title, (rarity(10, 1000) * 10 * 2.2) / (10 + 0.6));
  t.ok(title > fit({ title: ['one night'] }, 'night', 100));
  t.ok(title > fit({ description: ['one night'] }, 'night'));
  t.ok(title > fit({ title: ['one night of many that were long'] }, 'night'));
  t.ok(title < fit({ title: ['night night'] }, 'night'));
  t.equal(title, fit({ title: ['one likewise'] }, 'night'));
  t.equal(fit({ title: ['one day'] }, 'night'), 0);
  t.ok(rarity(1000, 1000) > 0, 'a word that everything has takes nothing away');
});

t.test('columns: the heaviest, filters and counts are those of a plain search', async (t) => {
  const document = fc.record({
    weight: fc.integer({ min: 1, max: 5 }),
    words: fc.integer({ min: 0, max: 9 }),
    genre: fc.subarray(['drama', 'comedy', 'action']),
  });
  fc.assert(
    fc.property(
      fc.array(document, { maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      (documents, limit) => {
        const columns = new Columns();
        columns.put(5000, { weight: 1, words: 1, facets: {} });
        columns.remove(5000);
        for (const [number, { genre, ...row }] of documents.entries()) {
          columns.put(number, { weight: 9, words: 9, facets: { genre: ['drama'], year: ['1999'] } });
          columns.put(number, { ...row, facets: { genre } });
        }
        const numbers = documents.map((_, number) => number);
        const sorted = numbers.toSorted((one, other) => documents[other]!.weight - documents[one]!.weight);
        t.same(columns.heaviest(numbers, limit), sorted.slice(0, limit));
        const passes = columns.filter({ genre: ['drama', 'comedy', 'unheard of'] });
        const has = (number: number, value: string) => documents[number]!.genre.includes(value);
        t.same(
          numbers.filter(passes),
          numbers.filter((number) => has(number, 'drama') || has(number, 'comedy')),
        );
        const { genre = {}, year } = columns.counts(numbers, ['genre', 'year'], 2);
        for (const [value, count] of Object.entries(genre))
          t.equal(count, numbers.filter((number) => has(number, value)).length);
        t.same(year, {}, 'what is no longer so is not counted');
        const dramas = numbers.filter((number) => has(number, 'drama'));
        t.same(columns.few({ genre: ['drama'] }, dramas.length), dramas);
        if (dramas.length > 0) t.equal(columns.few({ genre: ['drama'] }, dramas.length - 1), undefined);
        t.same(columns.few({ genre: ['drama'], year: ['unheard of'] }, 0), []);
        t.equal(columns.few({}, 1000), undefined, 'nothing is filtered');
        t.equal(columns.count, documents.length);
        const words = documents.reduce((sum, row) => sum + row.words, 0);
        t.equal(columns.meanLength, words / Math.max(1, documents.length));
      },
    ),
    { numRuns: 50 },
  );
});

t.test('a vocabulary knows in how many documents a word stands, and what begins so', async (t) => {
  const vocabulary = new Vocabulary([
    ['night', 3],
    ['nightingale', 1],
  ]);
  vocabulary.note(['night', 'nigh'], 1);
  t.equal(vocabulary.documents('night'), 4);
  t.equal(vocabulary.documentsFrom('night'), 5);
  t.equal(vocabulary.documentsFrom('nigh'), 6);
  vocabulary.note(
    Array.from({ length: 600 }, (_, at) => `word${at}`),
    1,
  );
  t.equal(vocabulary.documentsFrom('word'), 600);
  vocabulary.note(['nigh', 'never there'], -1);
  t.equal(vocabulary.documents('nigh'), 0);
  t.equal(vocabulary.documents('never there'), 0);
  t.same(vocabulary.similar({ word: 'nigh', isBeginning: false, most: 1 }), [{ term: 'night', typos: 1 }]);
});

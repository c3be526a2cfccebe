import fc from 'fast-check';
import t from 'tap';

import { foldWord, wordsOf } from '../../../common/core/search-words.ts';

const words = (text: string): string[] => wordsOf(text, 100).map(({ word }) => word);

t.test('words without case, accents and script', (t) => {
  t.strictSame(words('Amélie — Le Fabuleux Destin'), ['amelie', 'le', 'fabuleux', 'destin']);
  t.strictSame(words('STRAẞE, straße; Ærøskøbing'), ['strasse', 'strasse', 'aeroskobing']);
  t.strictSame(words("Don't Look Up, L’Atalante"), ['dont', 'look', 'up', 'l', 'atalante']);
  t.strictSame(words('Солярис Ёлки щука'), ['solyaris', 'elki', 'shchuka']);
  t.strictSame(words('Στέλλα, Ψυχή'), ['stella', 'psychi']);
  t.strictSame(words('千と千尋 Movie'), ['千', 'と', '千', '尋', 'movie']);
  t.strictSame(words('Łódź ﬁlm Ⅻ x²'), ['lodz', 'film', 'xii', 'x2']);
  t.strictSame(words('a\u200Db\u202Ec \u0301'), ['abc'], 'what cannot be seen is not heard');
  t.strictSame(words(' …!? '), []);
  t.equal(wordsOf('a b c', 2).length, 2, 'no more than is asked for');
  t.end();
});

t.test('places of words are those of the text, whatever is written', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      let end = 0;
      for (const { word, from, to } of wordsOf(text, 50)) {
        if (from < end || to <= from || to > text.length) t.fail(`${from}–${to} of ${JSON.stringify(text)}`);
        if (foldWord(text.slice(from, to)) !== word) t.fail(JSON.stringify(text));
        if (/[\s"*:(){}]/.test(word)) t.fail(`${word} could be read as more than a word`);
        end = to;
      }
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('plain texts are read as any other', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), (text) => {
      t.strictSame(wordsOf(text, 50), wordsOf(`${text}\u00a0`, 50));
    }),
    { numRuns: 500 },
  );
  t.end();
});

import fc from 'fast-check';
import t from 'tap';

import { similarTerms, typosAllowed } from '../../../common/core/typos.ts';

/** The distance from its definition, without any of the shortcuts. */
function naive(term: string, word: string): number {
  const seen = new Map<string, number>();
  const of = (i: number, j: number): number => {
    if (i === 0 && j === 0) return 0;
    const key = `${i} ${j}`;
    const known = seen.get(key);
    if (known !== undefined) return known;
    const ways: number[] = [];
    if (i > 0) ways.push(of(i - 1, j) + (j === 0 && i === 1 ? 2 : 1));
    if (j > 0) ways.push(of(i, j - 1) + (i === 0 && j === 1 ? 2 : 1));
    if (i > 0 && j > 0)
      ways.push(of(i - 1, j - 1) + (term[i - 1] === word[j - 1] ? 0 : i === 1 && j === 1 ? 2 : 1));
    if (i > 1 && j > 1 && term[i - 1] === word[j - 2] && term[i - 2] === word[j - 1])
      ways.push(of(i - 2, j - 2) + (i === 2 && j === 2 ? 2 : 1));
    const least = Math.min(...ways);
    seen.set(key, least);
    return least;
  };
  return of(term.length, word.length);
}

const beginnings = (term: string): string[] =>
  Array.from({ length: term.length + 1 }, (_, end) => term.slice(0, end));

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', 'я'), minLength: 1, maxLength: 9 });

t.test('similar terms are those that the definition finds', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(letters, { maxLength: 60 }),
      fc.record({ word: letters, isBeginning: fc.boolean(), most: fc.nat(2) }),
      (unsorted, { word, isBeginning, most }) => {
        const terms = unsorted.sort();
        const wanted = terms
          .map((term) => ({
            term,
            typos: isBeginning
              ? Math.min(...beginnings(term).map((beginning) => naive(beginning, word)))
              : naive(term, word),
          }))
          .filter(({ typos }) => typos <= most);
        const found = similarTerms(terms, { word, isBeginning, most });
        if (JSON.stringify(found) !== JSON.stringify(wanted))
          t.fail(`${word} in ${terms.join()}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test('typos are counted as people make them', (t) => {
  const one = (term: string, word: string) =>
    similarTerms([term], { word, isBeginning: false, most: 2 })[0]?.typos;
  t.equal(one('interstellar', 'interstelar'), 1, 'left out');
  t.equal(one('solaris', 'solarris'), 1, 'added');
  t.equal(one('matrix', 'matrux'), 1, 'changed');
  t.equal(one('matrix', 'matirx'), 1, 'turned round');
  t.equal(one('matrix', 'natrix'), 2, 'the first letter counts double');
  t.equal(one('matrix', 'amtrix'), 2);
  t.equal(one('matrix', 'atrix'), 2);
  t.equal(one('alien', 'matrix'), undefined);
  t.strictSame(['up', 'jaws', 'alien', 'solarise', 'interstel'].map(typosAllowed), [0, 0, 1, 1, 2]);
  t.end();
});

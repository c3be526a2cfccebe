import fc from 'fast-check';
import type t from 'tap';

import type { Search, SearchDocument, SearchQuery } from '../../common/adapters/search/port.ts';

type Test = Pick<typeof t, 'test'>;
type Teardown = Pick<typeof t, 'teardown'>;

const film = (id: string, title: string, more: Partial<SearchDocument> = {}): SearchDocument => ({
  id,
  facets: {},
  popularity: 0,
  ...more,
  texts: { title: [title], ...more.texts },
});

const shelf: readonly SearchDocument[] = [
  film('interstellar', 'Interstellar', {
    texts: { people: ['Christopher Nolan', 'Matthew McConaughey'], genres: ['Science Fiction'] },
    facets: { genre: ['scifi', 'drama'], year: ['2014'] },
    popularity: 50,
  }),
  film('spider', 'Spider-Man: No Way Home', { facets: { genre: ['action'], year: ['2021'] } }),
  film('solaris', 'Солярис', {
    texts: { description: ['A psychologist on a station above an interstellar ocean'] },
    facets: { genre: ['scifi'], year: ['1972'] },
  }),
  film('amelie', 'Le Fabuleux Destin d’Amélie Poulain', { facets: { genre: ['comedy'], year: ['2001'] } }),
  film('up', 'Up', { facets: { genre: ['animation'], year: ['2009'] } }),
  film('uptown', 'Uptown Girls', { popularity: 1000 }),
  film('look', "Don't Look Up", { popularity: 10 }),
  film('chihiro', '千と千尋の神隠し', { texts: { aliases: ['Spirited Away'] } }),
  film('rings', 'The Lord of the Rings', { texts: { genres: ['Fantasy'] } }),
];

/** The behaviour that every engine of the search port has. `openIndex` gives an empty one. */
export function searchConformance(t: Test, openIndex: () => Promise<Search>): void {
  const open = async (t: Teardown, documents: readonly SearchDocument[] = shelf): Promise<Search> => {
    const search = await openIndex();
    t.teardown(() => search.close());
    await search.put(documents);
    return search;
  };
  const ids = async (search: Search, text: string, more: Partial<SearchQuery> = {}): Promise<string[]> =>
    (await search.query({ text, ...more })).hits.map(({ id }) => id);

  t.test('words are found however they are written', async (t) => {
    const search = await open(t);
    for (const [text, found] of [
      ['INTERSTELLAR', 'interstellar'],
      ['nolan interstellar', 'interstellar'],
      ['amelie', 'amelie'],
      ['AMÉLIE poulain', 'amelie'],
      ['Солярис', 'solaris'],
      ['solyaris', 'solaris'],
      ['dont look', 'look'],
      ["don't", 'look'],
      ['spiderman', 'spider'],
      ['spider man', 'spider'],
      ['spider-man', 'spider'],
      ['千尋', 'chihiro'],
      ['spirited', 'chihiro'],
      ['fantasy', 'rings'],
    ] as const)
      t.equal((await ids(search, text))[0], found, text);
    t.strictSame(await ids(search, 'interstellar'), ['interstellar', 'solaris'], 'names before descriptions');
    for (const nothing of ['', '   ', '…', 'zzzz', '"', '*', 'AND', 'title:', '{title} : ("up")', 'NEAR(up)'])
      t.ok(
        (await search.query({ text: nothing })).hits.every(({ typos }) => typos > 0) ||
          nothing.includes('up'),
      );
  });

  t.test('while somebody types, the last word is found by its beginning', async (t) => {
    const search = await open(t);
    for (const text of ['i', 'in', 'int', 'inte', 'interst', 'nolan interst', 'interstellar'])
      t.equal((await ids(search, text, { isTyping: true }))[0], 'interstellar', text);
    t.strictSame(await ids(search, 'interst'), [], 'a word that is finished is not');
    t.strictSame(await ids(search, 'inters ', { isTyping: true }), [], 'nor one with a space behind it');
    const up = await ids(search, 'up', { isTyping: true });
    t.strictSame(up, ['up', 'uptown', 'look'], 'the whole title, then by popularity and place');
  });

  t.test('typos are forgiven where too little is found without', async (t) => {
    const search = await open(t);
    const first = async (text: string, isTyping = false) => {
      const { hits } = await search.query({ text, isTyping });
      return hits[0] === undefined ? undefined : [hits[0].id, hits[0].typos];
    };
    t.strictSame(await first('intrestellar'), ['interstellar', 1]);
    t.strictSame(await first('intrestelar'), ['interstellar', 2]);
    t.strictSame(await first('interstelar nolan'), ['interstellar', 1]);
    t.strictSame(await first('intrestel', true), ['interstellar', 1], 'in what is still being typed too');
    t.strictSame(await first('solaris'), ['solaris', 1]);
    t.strictSame(await first('spirted away'), ['chihiro', 1]);
    t.equal(await first('pu'), undefined, 'never in short words');
    t.equal(await first('olyaris'), undefined, 'the first letter counts double');
    const { hits } = await search.query({ text: 'lord interstellar' });
    t.strictSame(
      hits
        .map(({ id }) => id)
        .slice(0, 2)
        .sort(),
      ['interstellar', 'rings'],
      'else any of the words',
    );
    t.equal(
      (await search.query({ text: 'lord zzzzzzzzz rings' })).hits[0]?.id,
      'rings',
      'but the one that nobody knows',
    );
    t.equal(
      (await search.query({ text: 'home lord rings' })).hits[0]?.id,
      'rings',
      'all but one before one alone',
    );
  });

  t.test('places of what was found are told', async (t) => {
    const search = await open(t);
    const { hits } = await search.query({ text: 'nolan interst', isTyping: true });
    t.strictSame(hits[0]?.highlights, [
      { field: 'title', text: 'Interstellar', ranges: [[0, 12]] },
      { field: 'people', text: 'Christopher Nolan', ranges: [[12, 17]] },
    ]);
    const spider = (await search.query({ text: 'spiderman' })).hits[0];
    t.strictSame(spider?.highlights[0]?.ranges, [[0, 10]]);
  });

  t.test('filters, facets and pages', async (t) => {
    const search = await open(t);
    t.strictSame(
      await ids(search, 'interstellar', { filters: { genre: ['scifi'], year: ['1972', '1973'] } }),
      ['solaris'],
    );
    t.strictSame(await ids(search, 'up', { isTyping: true, filters: { genre: ['animation'] } }), ['up']);
    t.strictSame(await ids(search, 'interstellar', { filters: { genre: [] } }), []);
    const { facets, total } = await search.query({ text: 'interstellar', facets: ['genre', 'none'] });
    t.strictSame(facets, { genre: { scifi: 2, drama: 1 }, none: {} });
    t.equal(total, 2);
    const many = Array.from({ length: 150 }, (_, at) => film(`many${at}`, `Many ${at}`, { popularity: at }));
    await search.put(many);
    const page = await search.query({ text: 'many', limit: 100, offset: 20 });
    t.equal(page.total, 150);
    t.strictSame(
      page.hits.slice(0, 2).map(({ id }) => id),
      ['many129', 'many128'],
      'the popular ones first',
    );
    t.equal(page.hits.length, 100);
  });

  t.test('what is put again or removed is found as it is now', async (t) => {
    const search = await open(t);
    await search.put([film('up', 'Down')]);
    t.strictSame(await ids(search, 'down'), ['up']);
    t.notOk((await ids(search, 'up')).includes('up'));
    await search.remove(['up', 'nobody']);
    t.strictSame(await ids(search, 'down'), []);
    t.strictSame(await ids(search, 'd', { isTyping: true }), ['look', 'amelie'], 'Don’t and Destin');
    t.equal(await search.count(), shelf.length - 1);
  });

  t.test('synonyms are found by one another', async (t) => {
    const search = await open(t);
    await search.setSynonyms([['ring', 'rings'], ['lotr', 'lord of the rings'], []]);
    t.strictSame(await ids(search, 'lotr'), ['rings']);
    t.strictSame(await ids(search, 'ring'), ['rings']);
    await search.setSynonyms([]);
    t.strictSame(await ids(search, 'lotr'), []);
  });

  t.test('anything may be typed, and anything may stand in a document', async (t) => {
    const search = await open(t, []);
    const texts = fc.string({
      unit: fc.oneof(
        fc.constantFrom('a', 'b', ' ', '-', '"', "'", '*', 'я'),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      ),
      maxLength: 30,
    });
    let number = 0;
    await fc.assert(
      fc.asyncProperty(texts, texts, fc.boolean(), async (title, text, isTyping) => {
        await search.put([film(`t${number++}`, title, { texts: { description: [text] } })]);
        const { hits, total } = await search.query({ text, isTyping, facets: ['genre'] });
        if (total < hits.length) t.fail(`${total} in all, ${hits.length} shown`);
        for (const { highlights } of hits)
          for (const { text: found, ranges } of highlights)
            for (const [from, to] of ranges)
              if (from >= to || to > found.length) t.fail('a place outside of the text');
      }),
      { numRuns: 150 },
    );
  });

  t.test('what is beyond the bounds is refused', async (t) => {
    const search = await open(t);
    const invalid = { code: 'INVALID' };
    await t.rejects(search.query({ text: 'up', limit: 101 }), invalid);
    await t.rejects(search.query({ text: 'up', offset: -1 }), invalid);
    await t.rejects(search.query({ text: 'up', facets: Array<string>(11).fill('genre') }), invalid);
    await t.rejects(search.put([film('', 'Up')]), invalid);
    await t.rejects(search.put([film('x', 'Up', { popularity: NaN })]), invalid);
    await t.rejects(search.put([film('x', 'a'.repeat(100_001))]), invalid);
    await t.rejects(search.setSynonyms([Array<string>(21).fill('up')]), invalid);
    t.equal(await search.count(), shelf.length, 'nothing of it was put');
  });
}

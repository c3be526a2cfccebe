import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { TitleList } from '../../../../common/contract/titles.ts';
import type { TitleRecord } from '../../../../control-plane/services/catalog/records.ts';
import { titlePage } from '../../../../control-plane/services/catalog/title-page.ts';
import { Titles } from '../../../../control-plane/services/catalog/titles.ts';
import { call } from '../../support/call.ts';
import { openCatalogLab } from '../../support/catalog-lab.ts';
import { asRole } from '../../support/fake-credentials.ts';

function titleOf(id: string, createdAtMs: number): TitleRecord {
  return {
    ...{ version: 1, id, name: `Name of ${id}`, pinned: false, createdAtMs, sourceSizeBytes: 1 },
    ...{ sourceStored: false, phase: 'live', source: { kind: 'none' } },
  };
}

const moment = fc.record({
  /** What is added between two pages, and when by a clock that goes any way. */
  added: fc.array(fc.nat(40), { maxLength: 4 }),
  /** Which of the titles so far is changed. */
  changed: fc.nat(1000),
});

t.test(
  'pages have each title that was there all the while once, in order, whatever is written',
  async (t) => {
    const directory = t.testdir();
    let [next, runs] = [0, 0];
    const isShown = ({ id }: TitleRecord): boolean => Number(id.at(-1)) % 3 !== 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(40), { maxLength: 20 }),
        fc.array(moment, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 7 }),
        async (before, moments, limit) => {
          const records = await openSqliteRecords(join(directory, `${runs++}.db`));
          const titles = await Titles.open(records, { titlesMax: 100_000 });
          const add = (time: number) => titles.add(titleOf(`title_${String(next++).padStart(8, '0')}`, time));
          for (const time of before) await add(time);
          const there = titles.all().filter(isShown);
          const found: TitleRecord[] = [];
          for (let page = 0, after: string | undefined; ; page++) {
            const got = titlePage(titles, { limit, ...(after !== undefined && { after }) }, isShown);
            t.ok(got.titles.length <= limit && (got.next === undefined || got.titles.length === limit));
            found.push(...got.titles);
            after = got.next;
            if (after === undefined) break;
            const { added, changed } = moments[page % moments.length] ?? { added: [], changed: 0 };
            // Not for ever.
            if (page < 8) for (const time of added) await add(time);
            const ids = titles.ids();
            await titles.change(ids[changed % ids.length] ?? '', (title) => ({
              ...title,
              pinned: !title.pinned,
            }));
          }
          const ids = found.map(({ id }) => id);
          t.equal(new Set(ids).size, ids.length, 'none twice');
          t.same(
            there.filter(({ id }) => !ids.includes(id)),
            [],
            'none is missing',
          );
          const order = titles.all().map(({ id }) => id);
          await records.close();
          t.same(
            ids,
            order.filter((id) => ids.includes(id)),
          );
        },
      ),
      { numRuns: 40 },
    );
  },
);

t.test(
  'lists by page, name and state; a viewer pages through what is shown and learns of nothing else',
  async (t) => {
    const root = t.testdir();
    const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
    await writeFile(join(root, 'film.mp4'), 'a film');
    const ids: string[] = [];
    for (let count = 0; count < 7; count++) {
      const draft = count % 2 === 1 && { release: { stage: 'draft' as const } };
      const details = { kind: 'series' as const, ...draft };
      const { id } = await lab.catalog.createTitle({
        name: count === 4 ? 'Émile & Co' : `Series ${count}`,
        details,
      });
      ids.push(id);
      await lab.catalog.createTitle({
        ...{ name: 'An episode', path: join(root, 'film.mp4') },
        details: { kind: 'episode', parentId: id },
      });
    }
    await lab.catalog.settled();
    const ask = async (query: string, role: 'operator' | 'viewer' = 'operator'): Promise<TitleList> => {
      const { body } = await call(`${lab.url}/v1/titles?${query}`, { headers: asRole(role) });
      return body as unknown as TitleList;
    };
    const paged = async (query: string, role?: 'viewer'): Promise<string[]> => {
      const found: string[] = [];
      for (let after = ''; ;) {
        const page = await ask(`${query}${after}`, role);
        found.push(...page.titles.map(({ id }) => id));
        if (page.next === undefined) return found;
        after = `&after=${encodeURIComponent(page.next)}`;
      }
    };
    const all = await paged('limit=1000');
    t.equal(all.length, 14);
    for (const limit of [1, 3, 7, 13, 14]) t.same(await paged(`limit=${limit}`), all);
    t.same(
      await paged('limit=2&state=live'),
      all.filter((id) => ids.includes(id)),
    );
    t.match((await ask('state=queued')).titles.length, 7);
    t.match((await ask(`name=${encodeURIComponent('émile & co')}`)).titles, [{ id: ids[4] }]);
    t.same((await ask('name=mile')).titles, []);
    const viewed = await paged('limit=1', 'viewer');
    t.same(viewed, await paged('limit=1000', 'viewer'));
    t.same(
      viewed.filter((id) => [1, 3, 5].some((at) => ids[at] === id)),
      [],
      'drafts are in none of the pages',
    );
    for (const wrong of ['limit=0', 'limit=1001', 'after=x', 'state=away', 'after=1-title', 'more=1'])
      t.equal(
        (await call(`${lab.url}/v1/titles?${wrong}`, { headers: asRole('operator') })).status,
        400,
        wrong,
      );
    t.same((await ask('after=9999999999999999-title_unknown')).titles, [], 'a place, whatever stands there');
  },
);

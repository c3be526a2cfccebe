import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';

import { openSearch } from '../../../../common/adapters/search/open.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import type { Search } from '../../../../common/adapters/search/port.ts';
import { searchConformance } from '../../../conformance/search.ts';

const clock = createSystemClock();
const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'search-')), 'titles.db');
const open = (path: string): Promise<Search> => openSearch(`sqlite://${path}`, { clock });
const up = { id: 'up', texts: { title: ['Up and away'] }, facets: { state: ['live'] }, popularity: 1 };

t.test('conformance: FTS5', (t) => {
  searchConformance(t, async () => open(await newPath()));
  t.end();
});

t.test('a URL that names no engine', async (t) => {
  for (const url of ['', 'file:///x', 'sqlite:x.db', 'sqlite://host/x.db'])
    await t.rejects(openSearch(url, { clock }), { code: 'CONFIG_INVALID' }, url);
});

t.test('an index is there after closing and opening again, its words too', async (t) => {
  const path = await newPath();
  const first = await open(path);
  await first.put([up]);
  await t.rejects(open(path), { code: 'STORE_LOCKED' });
  await first.close();
  const second = await open(path);
  t.match(await second.query({ text: 'awau' }), { hits: [] });
  t.match(await second.query({ text: 'awayy' }), { hits: [{ id: 'up', typos: 1 }] });
  const filtered = { text: 'up', filters: { state: ['live'] }, facets: ['state'] };
  t.match(await second.query(filtered), { hits: [{ id: 'up' }], facets: { state: { live: 1 } } });
  await second.remove(['up']);
  t.match(
    await second.query({ text: 'awayy' }),
    { hits: [] },
    'a word that nothing holds is meant by nobody',
  );
  await second.close();
});

t.test('an index of another version is made anew, what is no database is refused', async (t) => {
  const path = await newPath();
  await (await open(path)).close();
  const file = new Database(path);
  file.pragma('user_version = 999');
  file.exec("INSERT INTO documents (id, title, weight, words, facets) VALUES ('old', 'old', 1, 1, '{}')");
  file.close();
  const search = await open(path);
  t.equal(await search.count(), 0);
  await search.put([up]);
  t.match(await search.query({ text: 'away' }), { hits: [{ id: 'up' }] });
  await search.close();
});

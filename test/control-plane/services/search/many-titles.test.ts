import { join } from 'node:path';
import t from 'tap';
import { openFts5Search } from '../../../../common/adapters/search/fts5.ts';
import { manyTitlesSuite } from '../../support/many-titles.ts';

await manyTitlesSuite(t, await openFts5Search(join(t.testdir(), 'search.db')));

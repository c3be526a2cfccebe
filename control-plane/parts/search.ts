import { loop } from '../background.ts';
import { searchableTitles } from '../services/search/ports.ts';
import { searchRoutes } from '../services/search/routes.ts';
import { createTitleSearch } from '../services/search/service.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';

/** Opens search. */
export async function openSearchPart({ stores, directory, clock, log }: PartContext): Promise<Part> {
  const index = await stores.openSearch('titles');
  const rights = directory.find(viewerRights);
  const search = createTitleSearch({ index, titles: directory.find(searchableTitles), clock, log });
  return {
    components: [loop('search', (signal) => search.run(signal))],
    routes: ({ app }) => {
      searchRoutes(app, { search, rights });
    },
  };
}

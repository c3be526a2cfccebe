import { openBlobs } from '../../common/adapters/blobs/open.ts';
import type { Records } from '../../common/adapters/records/port.ts';
import { pickLanguage } from '../../common/core/language.ts';
import type { Calls } from '../apart/interface.ts';
import { started } from '../background.ts';
import type { Catalog } from '../services/catalog/service.ts';
import { viewingTold, watchedProfiles } from '../services/recommendations/interfaces.ts';
import {
  recommendationsDefaults,
  type RecommendedProfiles,
  type RecommendedTitles,
} from '../services/recommendations/ports.ts';
import { recommendationsRoutes } from '../services/recommendations/routes.ts';
import { createRecommendations, type Recommendations } from '../services/recommendations/service.ts';
import type { RowTickets } from '../services/recommendations/tickets.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';

interface Shelves extends Part {
  readonly recommendations: Recommendations;
  readonly close: () => Promise<void>;
}

/** Opens recommendations over the catalog and over what profiles watch. */
export async function openRecommendations(
  { config, directory, clock, chance, log }: PartContext,
  { records, catalog, tickets }: { records: Records; catalog: Catalog; tickets: RowTickets },
): Promise<Shelves> {
  const blobs = await openBlobs(config.blobsUrl);
  const recommendations = await createRecommendations({
    ...{ records, blobs, tickets, titles: recommendedTitles(catalog) },
    profiles: recommendedProfiles(directory.find(watchedProfiles)),
    ...{ clock, chance, log, options: recommendationsDefaults },
  });
  directory.provide(viewingTold, {
    told: async ({ profileId, region, reports }) => {
      recommendations.note({ profileId, region, reports });
      return {};
    },
    removed: async ({ profileId }) => {
      await recommendations.forget([profileId]);
      return {};
    },
  });
  return {
    recommendations,
    components: [started('recommendations', recommendations)],
    routes: ({ app }) => {
      recommendationsRoutes(app, { recommendations, rights: directory.find(viewerRights) });
    },
    close: () => blobs.close(),
  };
}

function recommendedTitles(catalog: Catalog): RecommendedTitles {
  const { outlines, rights } = catalog;
  return {
    find: (id) => outlines.find(id),
    ids: () => outlines.ids(),
    next: (id, viewer) => outlines.next(id, viewer),
    isShown: (id, viewer) => rights.isShown(id, viewer),
    nameIn(id, languages) {
      const told = catalog.translations(id);
      const language = pickLanguage(
        languages,
        told.map((one) => one.language),
      );
      const named = told.find((one) => one.language === language)?.name;
      return named ?? outlines.find(id)?.name ?? '';
    },
    onChange: (listener) => catalog.onTitleChange(listener),
  };
}

function recommendedProfiles(profiles: Calls<typeof watchedProfiles>): RecommendedProfiles {
  return {
    async *ids() {
      for (let after: string | undefined; ;) {
        const { ids } = await profiles.page(after === undefined ? {} : { after });
        yield* ids;
        after = ids.at(-1);
        if (after === undefined) return;
      }
    },
    of: async (accountId) => (await profiles.of({ accountId })).ids,
    async taste(profileId) {
      const { seen, ratings, hidden } = await profiles.taste({ profileId });
      return {
        seen,
        ratings: new Map(ratings.map(({ titleId, value }) => [titleId, value])),
        hidden: new Set(hidden),
      };
    },
  };
}

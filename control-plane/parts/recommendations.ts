import { openBlobs } from '../../common/adapters/blobs/open.ts';
import type { Calls } from '../apart/interface.ts';
import { loop, started } from '../background.ts';
import { answerPersonal, personalData } from '../services/personal-data.ts';
import {
  rowTickets,
  titlesTold,
  viewingTold,
  watchedProfiles,
} from '../services/recommendations/interfaces.ts';
import { recommendationsDefaults, type RecommendedProfiles } from '../services/recommendations/ports.ts';
import { recommendationsRoutes } from '../services/recommendations/routes.ts';
import { createRecommendations, type Recommendations } from '../services/recommendations/service.ts';
import { createRowTickets, type RowTickets } from '../services/recommendations/tickets.ts';
import { TitleCopy } from '../services/recommendations/title-copy.ts';
import { openSeals } from '../services/seals.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';

/** Opens recommendations, over a copy of titles and over what profiles watch. */
export async function openRecommendationsPart(context: PartContext): Promise<Part> {
  const { config, stores, directory, clock, chance, log } = context;
  const blobs = await openBlobs(config.blobsUrl);
  const records = await stores.open('recommendations');
  const tickets = createRowTickets({ seals: await openSeals({ records, chance }), clock });
  const titles = new TitleCopy({ told: directory.find(titlesTold), clock, log });
  const recommendations = await createRecommendations({
    ...{ records, blobs, tickets, titles, clock, chance, log },
    profiles: recommendedProfiles(directory.find(watchedProfiles)),
    options: recommendationsDefaults,
  });
  provide(context, { recommendations, tickets });
  return {
    components: [
      loop('recommended-titles', (signal) => titles.run(signal)),
      started('recommendations', recommendations),
    ],
    routes: ({ app }) => {
      recommendationsRoutes(app, { recommendations, rights: directory.find(viewerRights) });
    },
    close: () => blobs.close(),
  };
}

/** Answers what other services tell and ask recommendations. */
function provide(
  { directory }: PartContext,
  { recommendations, tickets }: { recommendations: Recommendations; tickets: RowTickets },
): void {
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
  directory.provide(rowTickets, {
    read: async (asked) => ({
      rows: asked.tickets.map((ticket) => {
        const read = tickets.read(ticket);
        if (read === undefined) return {};
        const { row, model, titles } = read;
        return { row: { row, ...(model !== undefined && { model }), titles: [...titles] } };
      }),
    }),
  });
  directory.provide(personalData.recommendations, answerPersonal(recommendations.personal));
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

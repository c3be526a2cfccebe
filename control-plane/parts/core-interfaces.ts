import { readyHolders, servedNodes } from '../fleet.ts';
import type { Catalog } from '../services/catalog/service.ts';
import { changesWaitMs, createChangeLog, type ChangeLog } from '../services/change-log.ts';
import { eventsWorld } from '../services/events/interfaces.ts';
import {
  playbackCatalog,
  playbackFleet,
  playbackTokens,
  steeringTokens,
} from '../services/playback/interfaces.ts';
import { titlesTold } from '../services/recommendations/interfaces.ts';
import { searchableTitles, titlesAtOnce, type SearchableTitle } from '../services/search/ports.ts';
import { userTitles } from '../services/users/ports.ts';
import type { CoreServices } from './core-services.ts';
import type { PartContext } from './part.ts';
import { answerTitlesTold, changesTold } from './titles-told.ts';

/** How many changed titles are remembered for search and recommendations. */
const changesKept = 10_000;
const steeringTokenS = 3600;

/** Answers what the other services ask of the core. */
export function provideCore(context: PartContext, services: CoreServices): void {
  provideForPlayback(context, services);
  const changed = createChangeLog({ clock: context.clock, keysMax: changesKept });
  services.catalog.onTitleChange((id) => {
    changed.note(id);
  });
  provideForSearch(context, services, changed);
  context.directory.provide(titlesTold, answerTitlesTold(services.catalog.outlines, changed));
  provideForUsers(context, services);
  provideForEvents(context, services);
}

function provideForEvents({ directory }: PartContext, { access, catalog, clientSites }: CoreServices): void {
  const served = servedNodes(access);
  directory.provide(eventsWorld, {
    siteOf: async ({ client }) => placeOf(clientSites.siteOf(client)),
    nodes: async ({ ids }) => ({
      nodes: ids
        .filter((id) => access.identities.get(id) !== undefined)
        .map((id) => ({ id, ...placeOf(served.siteOf(id)) })),
    }),
    titleNames: async ({ bundles }) => {
      const names = new Map(catalog.bundles().map(({ bundle, name }) => [bundle, name]));
      return {
        names: bundles.flatMap((bundle) => {
          const name = names.get(bundle);
          return name === undefined ? [] : [{ bundle, name }];
        }),
      };
    },
  });
}

function placeOf(site: string | undefined): { site?: string } {
  return site === undefined ? {} : { site };
}

function provideForUsers({ directory }: PartContext, { catalog }: CoreServices): void {
  directory.provide(userTitles, {
    find: async ({ ids, viewer }) => ({
      titles: ids.flatMap((id) => {
        if (viewer !== undefined && !catalog.rights.isAllowed(id, viewer)) return [];
        const { name, durationMs } = catalog.outlines.find(id) ?? {};
        return name === undefined ? [] : [{ id, name, ...(durationMs !== undefined && { durationMs }) }];
      }),
    }),
  });
}

function provideForPlayback(
  { directory }: PartContext,
  { access, registry, catalog, fill, clientSites }: CoreServices,
): void {
  directory.provide(playbackCatalog, {
    playable: async ({ titleId, ...by }) => {
      const { name, bundleName, catalogBundle, next } = await catalog.playable(titleId, by);
      const { files, forecast } = catalogBundle;
      const title = {
        ...{ titleId, name, bundleName, files: files.map(({ file }) => file) },
        ...(next !== undefined && { next }),
      };
      if (forecast === undefined) return title;
      const { viewingsPerDay, launchAtMs } = forecast;
      return { ...title, forecast: { viewingsPerDay, launchAtMs } };
    },
    bundle: ({ name }) => catalog.bundle(name),
  });
  directory.provide(playbackFleet, {
    siteOf: async ({ client }) => placeOf(clientSites.siteOf(client)),
    holders: async ({ files }) => ({ pathways: readyHolders({ registry, fill }, files) }),
  });
  directory.provide(playbackTokens, {
    mint: async ({ claims }) => ({ tokens: claims.map((one) => access.mintToken(one)) }),
  });
  directory.provide(steeringTokens, {
    forSteering: () =>
      access.createAccessToken({ role: 'service', sub: 'control-plane', ttlS: steeringTokenS }),
  });
}

function provideForSearch({ directory }: PartContext, { catalog }: CoreServices, changed: ChangeLog): void {
  directory.provide(searchableTitles, {
    page: async ({ from }) => ({
      titles: catalog.titlesFrom(from, titlesAtOnce).flatMap(({ id }) => titleOf(catalog, id)),
    }),
    find: async ({ ids }) => ({ titles: ids.flatMap((id) => titleOf(catalog, id)) }),
    shown: async ({ ids, viewer }) => ({ ids: ids.filter((id) => catalog.rights.isShown(id, viewer)) }),
    allowed: async ({ viewer }) => ({ rights: catalog.rightsGroups.allowed(viewer) }),
    changes: async ({ after }, { signal } = {}) =>
      changesTold(await changed.since(after, { waitMs: changesWaitMs, signal })),
  });
}

function titleOf(catalog: Catalog, id: string): SearchableTitle[] {
  const names = catalog.names(id);
  if (names === undefined) return [];
  const { name, state, popularity, kind = 'movie', year } = catalog.title(id);
  const { aliases, people, genres, synopsis, translations } = names;
  const maturity = catalog.rights.maturityOf(id);
  return [
    {
      ...{ id, name, state, popularity, synopsis, kind },
      ...(year !== undefined && { year }),
      ...(maturity !== undefined && { maturity }),
      ...{ aliases: [...aliases], people: [...people], genres: [...genres] },
      ...{ translations: [...translations], rights: catalog.rightsGroups.of(id) },
    },
  ];
}

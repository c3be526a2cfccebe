import type { Pathway } from '../common/contract/steering.ts';
import type { LaunchForecast } from '../common/contract/titles.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { isCoded } from '../common/runtime/errors.ts';
import type { Log } from '../common/runtime/log.ts';
import { createClientSites, type ClientSites } from './client-sites.ts';
import type { Access } from './services/access/service.ts';
import type { CatalogBundle, Fleet } from './services/catalog/ports.ts';
import type { Catalog } from './services/catalog/service.ts';
import type { ServedNodes } from './services/events/ports.ts';
import type { EventsService } from './services/events/service.ts';
import type { BegunSession, PlaybackCatalog } from './services/playback/ports.ts';
import type { Fill } from './services/fill/service.ts';
import type { FillBundle } from './services/fill/ports.ts';
import type { Routes } from './services/routes/service.ts';
import type { SearchableTitles } from './services/search/ports.ts';
import type { MapBundle } from './services/steering-map/ports.ts';
import type { Registry } from './services/registry/service.ts';
import type { ServingNode } from './services/registry/serving-node.ts';

/** What the catalog asks of registry and fill, answered in this process. */
export function createFleet({ registry, fill }: { registry: Registry; fill: Fill }): Fleet {
  return {
    holdersOf: ({ files }) =>
      registry
        .serving()
        .filter((node) => (node.state === 'ready' || node.state === 'draining') && holds(node, files))
        .map(({ id, role, cluster }) => ({ id, role, cluster })),
    clustersWanting: ({ bundle }) => fill.bundleFill(bundle)?.clusters,
    filledShare: ({ bundle }) => fill.bundleFill(bundle)?.filledShare ?? 0,
    appliancesExist: () => registry.serving().some(({ role }) => role === 'appliance'),
  };
}

/** Titles as search is told of them. */
export function searchableTitles(catalog: Catalog): SearchableTitles {
  return {
    all: () => catalog.titles(),
    find(id) {
      try {
        return catalog.title(id);
      } catch (error) {
        if (isCoded(error, 'TITLE_UNKNOWN')) return undefined;
        throw error;
      }
    },
    onChange: (listener) => catalog.onTitleChange(listener),
  };
}

/** Ready nodes that hold every file, as ways to a playback. */
export function readyHolders(registry: Registry, files: readonly { readonly file: string }[]): Pathway[] {
  return registry.serving().flatMap((node) => {
    const { id, url, site, cluster, role, state } = node;
    return state === 'ready' && url !== undefined && holds(node, files)
      ? [{ id, url, site, cluster, role }]
      : [];
  });
}

// An origin reads through to the blobs: it has every published file (ADR 9).
function holds({ role, held }: ServingNode, files: readonly { readonly file: string }[]): boolean {
  return role === 'origin' || files.every(({ file }) => held.has(file));
}

/** Says at whose site a viewer is, by the routes of its boxes. */
export function clientSitesOf(parts: {
  registry: Registry;
  routes: Routes;
  clock: Clock;
  log: Log;
}): ClientSites {
  const { registry, routes, clock, log } = parts;
  return createClientSites({
    nodes: () => registry.serving(),
    used: (nodeId) => routes.used(nodeId),
    table: (name) => routes.store.table(name),
    ...{ clock, log },
  });
}

/** Tells the events of sessions, with the sites of their viewers. None is refused because that could not be kept. */
export function noteSessions({
  events,
  siteOf,
  log,
}: {
  events: EventsService;
  siteOf: ClientSites['siteOf'];
  log: Log;
}): (session: BegunSession) => void {
  return ({ title: { bundleName, forecast }, client }) => {
    const site = siteOf(client);
    const session = { bundle: bundleName, ...(site !== undefined && { site }), ...forecastOf(forecast) };
    events.noteSession(session).catch((error: unknown) => {
      log.warn({ err: error }, 'a session could not be kept; popularity is learned without it');
    });
  };
}

function forecastOf(forecast: LaunchForecast | undefined): { forecast?: LaunchForecast } {
  if (forecast === undefined) return {};
  const { viewingsPerDay, launchAtMs } = forecast;
  return { forecast: { viewingsPerDay, launchAtMs } };
}

/** What playback asks of the catalog, answered in this process. */
export function playbackCatalog(catalog: Catalog, siteOf: ClientSites['siteOf']): PlaybackCatalog {
  return {
    bundle: (name) => catalog.bundle(name),
    playable: async (titleId, client) => {
      const { catalogBundle, ...title } = await catalog.playable(titleId, siteOf(client));
      const { files, forecast } = catalogBundle;
      return { ...title, files, forecast };
    },
  };
}

/**
 * The catalog's bundles as fill and the steering map see them. Two titles of one source have one bundle: it is pinned or urgent when either is.
 */
export function publishedBundles(bundles: readonly CatalogBundle[]): (FillBundle & MapBundle)[] {
  const byName = new Map<string, FillBundle & MapBundle>();
  for (const one of bundles) {
    const { bundle, titleId, name, files } = one;
    const known = byName.get(bundle);
    const pinned = one.pinned || known?.pinned === true;
    const urgent = one.urgent || known?.urgent === true;
    const forecast = one.forecast ?? known?.forecast;
    const flags = { pinned, urgent, ...(forecast !== undefined && { forecast }) };
    byName.set(bundle, { ...(known ?? { bundle, titleId, name, files }), ...flags });
  }
  return [...byName.values()];
}

/** Who may say what was served, and to whose viewers: an origin's may be anywhere. */
export function servedNodes({ identities }: Access): ServedNodes {
  return {
    findNode: (kid) => identities.findNode(kid),
    siteOf: (nodeId) => {
      const identity = identities.get(nodeId);
      return identity?.role === 'appliance' ? identity.site : undefined;
    },
  };
}

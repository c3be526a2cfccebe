import type { NodeView } from '../common/contract/nodes.ts';
import type { Pathway } from '../common/contract/steering.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import { createClientSites, type ClientSites } from './client-sites.ts';
import type { Access } from './services/access/service.ts';
import type { CatalogBundle, Fleet } from './services/catalog/ports.ts';
import type { ServedNodes } from './services/events/ports.ts';
import type { WantedFile } from './services/fill/plan.ts';
import type { Fill } from './services/fill/service.ts';
import type { FillBundle } from './services/fill/ports.ts';
import type { Routes } from './services/routes/service.ts';
import type { MapBundle } from './services/steering-map/ports.ts';
import type { Registry } from './services/registry/service.ts';
import type { ServingNode } from './services/registry/serving-node.ts';

/** What the catalog asks of registry, fill and the steering map, answered in this process. */
export function createFleet({
  registry,
  fill,
  mapReached,
}: {
  registry: Registry;
  fill: Fill;
  mapReached: Fleet['mapReached'];
}): Fleet {
  return {
    holdersOf: ({ bundle, files }) => {
      const names = files.map(({ file }) => file);
      return registry
        .serving()
        .filter((node) => node.state === 'ready' || node.state === 'draining')
        .filter((node) => holds(node, names) || holdsPlanned(node, fill.plannedLadders(node.id).get(bundle)))
        .map(({ id, role, cluster }) => ({ id, role, cluster }));
    },
    clustersWanting: ({ bundle }) => fill.bundleFill(bundle)?.clusters,
    filledShare: ({ bundle }) => fill.bundleFill(bundle)?.filledShare ?? 0,
    appliancesExist: () => registry.serving().some(({ role }) => role === 'appliance'),
    mapReached,
  };
}

/**
 * Ready nodes that hold every file of a bundle, or what is planned of it there and lead on to the rest, as ways to a playback. Where there
 * are none, origins that were there when this process began and are still awaited: they have everything, and most likely they have stayed.
 */
export function readyHolders(
  { registry, fill }: { registry: Registry; fill: Fill },
  files: readonly string[],
): Pathway[] {
  const answers = (node: ServingNode): boolean => {
    const ladders = fill.plannedLadders(node.id);
    // One of the files is the bundle's own.
    return holds(node, files) || files.some((file) => holdsPlanned(node, ladders.get(file)));
  };
  const ready = registry.serving().filter((node) => node.state === 'ready' && answers(node));
  const ways = ready.flatMap(pathwayOf);
  if (ways.length > 0) return ways;
  const origins = registry.awaited().filter(({ role }) => role === 'origin');
  return origins.flatMap(pathwayOf);
}

function pathwayOf({ id, url, site, cluster, role }: ServingNode): Pathway[] {
  return url === undefined ? [] : [{ id, url, site, cluster, role }];
}

// An origin reads through to the blobs: it has every published file (ADR 9).
function holds({ role, held }: ServingNode, files: readonly string[]): boolean {
  return role === 'origin' || files.every((file) => held.has(file));
}

// All that is planned of a bundle on a box that leads on to the rest.
function holdsPlanned({ held }: ServingNode, planned: readonly WantedFile[] | undefined): boolean {
  return planned?.every(({ file }) => held.has(file)) === true;
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
    merge: (names) => routes.mergeSites(names),
    ...{ clock, log },
  });
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
    const succeeds = one.succeeds ?? known?.succeeds;
    const flags = {
      ...{ pinned, urgent, ...(forecast !== undefined && { forecast }) },
      ...(succeeds !== undefined && { succeeds }),
    };
    byName.set(bundle, { ...(known ?? { bundle, titleId, name, files }), ...flags });
  }
  return [...byName.values()];
}

/** What fill plans: titles, and their pictures as such, of which no session tells anything. */
export function filledBundles(catalog: FilledCatalog): FillBundle[] {
  const pictures = publishedBundles(catalog.artwork.bundles());
  return [...publishedBundles(catalog.bundles()), ...pictures.map((one) => ({ ...one, isPicture: true }))];
}

interface FilledCatalog {
  bundles(): readonly CatalogBundle[];
  readonly artwork: { bundles(): readonly CatalogBundle[] };
}

/** How many bytes the boxes of a site hold; undefined for a site without boxes. */
export function heldAt(nodes: readonly NodeView[], site: string): number | undefined {
  const boxes = nodes.filter((node) => node.role === 'appliance' && node.site === site);
  return boxes.length === 0 ? undefined : boxes.reduce((bytes, { usedBytes }) => bytes + usedBytes, 0);
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

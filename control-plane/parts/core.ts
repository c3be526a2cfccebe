import { join, resolve } from 'node:path';
import { openBlobs } from '../../common/adapters/blobs/open.ts';
import type { StatusView } from '../../common/contract/status.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { CredentialVerifiers } from '../../common/runtime/http-credential.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { acts, answerActs } from '../apart/acts.ts';
import { answerCredentials, credentials } from '../apart/credentials.ts';
import type { Directory } from '../apart/directory.ts';
import { createArtworkLinks } from '../artwork-links.ts';
import { openAuth } from '../auth.ts';
import { every, loop, started, withStop } from '../background.ts';
import type { Base } from '../base.ts';
import { authorityOf } from '../config.ts';
import { fillSession } from '../core/fill-session.ts';
import {
  clientSitesOf,
  createFleet,
  filledBundles,
  heldAt,
  publishedBundles,
  servedNodes,
} from '../fleet.ts';
import { openAccess } from '../keys.ts';
import { accessRoutes } from '../services/access/routes.ts';
import type { Access } from '../services/access/service.ts';
import { auditRoutes } from '../services/audit/routes.ts';
import { createAudit, type Audit } from '../services/audit/service.ts';
import { authRoutes } from '../services/auth/routes.ts';
import { catalogDefaults, type Fleet } from '../services/catalog/ports.ts';
import { catalogRoutes } from '../services/catalog/routes.ts';
import { createCatalog, type Catalog } from '../services/catalog/service.ts';
import { createChallenges } from '../services/certificates/challenges.ts';
import { certificateRoutes } from '../services/certificates/routes.ts';
import { createCertificates } from '../services/certificates/service.ts';
import { eventsDefaults } from '../services/events/ports.ts';
import { askForEventLog } from '../services/events/event-log.ts';
import { eventLog } from '../services/events/interfaces.ts';
import { createPopularity, popularityEvents, type Popularity } from '../services/events/popularity.ts';
import { servedRoutes } from '../services/events/routes.ts';
import type { FillSigner } from '../services/fill/ports.ts';
import { fillRoutes } from '../services/fill/routes.ts';
import { createFill } from '../services/fill/service.ts';
import { openMaintenance } from '../services/registry/maintenance.ts';
import { registryRoutes } from '../services/registry/routes.ts';
import { createRegistry } from '../services/registry/service.ts';
import { routesRoutes } from '../services/routes/routes.ts';
import { createRoutes } from '../services/routes/service.ts';
import { playbackCounts } from '../services/status/ports.ts';
import { statusRoutes } from '../services/status/routes.ts';
import { createStatus, type Status } from '../services/status/service.ts';
import { steeringMapRoutes } from '../services/steering-map/routes.ts';
import { createSteeringMaps, type SteeringMaps } from '../services/steering-map/service.ts';
import { withdrawalRoutes } from '../services/withdrawal/routes.ts';
import { openWithdrawals } from '../services/withdrawal/service.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Stores } from '../stores.ts';
import { verifiersOf } from '../verifiers.ts';
import { withdrawalCatalog } from '../withdrawal-catalog.ts';
import { watchFoldersOf } from '../watch-folders.ts';
import { provideCore } from './core-interfaces.ts';
import type { CoreServices } from './core-services.ts';
import type { Part, PartContext } from './part.ts';
import { openPeople } from './people.ts';

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;

/** All services that nobody has taken apart yet. */
export interface CorePart extends Part {
  readonly audit: Audit;
  readonly verifiers: Required<CredentialVerifiers>;
  /** What makes the first admin; undefined where there are accounts. */
  readonly firstAdminCode: string | undefined;
  /** What the status shows of what is here. */
  readonly counts: () => Pick<StatusView, 'nodes' | 'titles' | 'fill'>;
}

/** Opens the core. */
export async function openCorePart(context: PartContext): Promise<CorePart> {
  const { stores, directory, publicUrl, clock, chance, log } = context;
  const access = await openAccess(context, stores);
  const audit = createAudit({
    auditLog: await stores.openAuditLog('audit'),
    keepMs: context.config.audit.keepDays * 86_400_000,
    ...{ clock, log },
  });
  const auth = await openAuth(context, { stores, access, audit, publicUrl });
  const services = await openServices(context, { stores, access, directory });
  const people = await openPeople(context, { auth });
  const verifiers = verifiersOf({ access, auth, maps: services.maps });
  directory.provide(acts, answerActs(audit));
  directory.provide(credentials, answerCredentials(verifiers));
  provideCore(context, services);
  return {
    audit,
    verifiers,
    firstAdminCode: auth.firstAdmin.code(),
    components: [
      ...backgroundWork(services, context),
      withStop(
        loop('sessions', (signal) => auth.watch(signal)),
        () => auth.stop(),
      ),
      ...people.components,
      withStop(
        loop('audit', (signal) => audit.watch(signal)),
        () => audit.stop(),
      ),
    ],
    counts: () => countsOf(services),
    routes: (server) => {
      const { app, draining } = server;
      const { registry, maintenance, catalog, fill, maps, status, withdrawals, routes, popularity } =
        services;
      routesRoutes(app, { routes });
      accessRoutes(app, { access });
      auditRoutes(app, { audit });
      authRoutes(app, { auth, clock, chance });
      people.routes(server);
      registryRoutes(app, { registry, maintenance });
      certificateRoutes(app, services);
      catalogRoutes(app, {
        ...{ catalog, draining, rights: directory.find(viewerRights) },
        ...pictureLinks(services, context),
      });
      servedRoutes(app, { popularity, heldAt: (site) => heldAt(registry.views(), site) });
      fillRoutes(app, { fill, draining });
      withdrawalRoutes(app, { withdrawals });
      steeringMapRoutes(app, { maps, draining });
      statusRoutes(app, { status });
    },
  };
}

interface Opened {
  stores: Stores;
  access: Access;
  directory: Directory;
}

/** Opens the services and wires what each needs of the others; the closures are first called when all are there. */
async function openServices(base: Base, opened: Opened): Promise<CoreServices> {
  const { config, clock, chance, log } = base;
  const { stores, access } = opened;
  const signer: FillSigner = {
    issue: (document) => access.documents.issue(document),
    mintToken: (claims) => access.mintToken(claims),
  };
  const popularity = await openPopularity(base, opened);
  const routes = await createRoutes({
    records: await stores.open('routes'),
    directory: join(config.dataDir, 'route-tables'),
    nodes: () => registry,
    sitesOfPartner: (site) => fill.sitesOfPartner(site),
    ...{ clock, log },
  });
  const shelf = { records: await stores.open('registry'), identities: access.identities };
  const maintenance = await openMaintenance({ ...shelf, clock, chance });
  const registry = createRegistry({
    ...{ ...shelf, maintenance },
    fill: () => fill,
    revocationsSequence: () => maps.revocationsSequence(),
    revokeTokens: async (node) => {
      await maps.revoke({ sessions: [fillSession(node)] });
    },
    served: (nodeId) => popularity.servedBy(nodeId),
    ...{ routes, clock, log, leaseMs: config.leaseMs },
  });
  await registry.start();
  const published = publishedBy(() => catalog, popularity);
  const shared = { nodes: registry, signer, clock, log };
  const settings = { ...config.placement, ladderWorth: 1, leftMax: 1000, ...config.fill };
  const fill = await createFill({
    ...shared,
    catalog: () => published.filled,
    records: await stores.open('fill'),
    settings,
  });
  const fleet = createFleet({ registry, fill, mapReached: () => maps.reached() });
  const catalog = await openCatalog(base, { stores, popularity, fleet });
  const withdrawals = await openWithdrawals({
    records: await stores.open('withdrawal'),
    catalog: withdrawalCatalog(catalog),
    nodes: { serving: () => registry.serving(), findNode: (kid) => access.identities.findNode(kid) },
    revocations: {
      revoke: (bundles) => maps.revoke({ bundles: [...bundles] }),
      lift: (bundle) => maps.lift(bundle),
    },
    ...{ clock, chance, log },
  });
  const { challenges, certificates } = openCertificates(base, () => maps);
  const maps = await createSteeringMaps({
    ...shared,
    catalog: () => published.ranked,
    routes,
    plannedLadders: (nodeId) => fill.plannedLadders(nodeId),
    challenges: () => challenges.published(),
    records: await stores.open('steering-map'),
    withdrawals: () => withdrawals.active(),
    maintenance: () => maintenance.current(),
  });
  await withdrawals.start();
  const services = {
    ...{ access, routes, registry, maintenance, catalog, fill, maps, popularity, withdrawals, certificates },
    clientSites: clientSitesOf({ registry, routes, clock, log }),
  };
  return { ...services, status: statusOf(services, base, opened.directory) };
}

/** What is published, for steering and for fill. */
function publishedBy(catalog: () => Catalog, popularity: Popularity) {
  return {
    // Steering ranks no pictures: links name the box.
    ranked: { bundles: () => publishedBundles(catalog().bundles()) },
    filled: {
      bundles: () => filledBundles(catalog()),
      popularityAt: (site: string) => popularity.popularityAt(site),
    },
  };
}

async function openPopularity(
  { clock, log }: Base,
  { stores, access, directory }: Opened,
): Promise<Popularity> {
  return createPopularity({
    events: askForEventLog(directory.find(eventLog), popularityEvents),
    records: await stores.open('events'),
    nodes: servedNodes(access),
    ...{ clock, log, options: eventsDefaults },
  });
}

/** What certifies nodes, and what steering shows for it. */
function openCertificates({ config, clock, chance, log }: Base, maps: () => SteeringMaps) {
  const challenges = createChallenges({ clock, onChange: () => maps().changed() });
  const certificates = createCertificates({
    authority: authorityOf(config),
    accountKeyFile: join(config.dataDir, 'keys', 'acme-account.pem'),
    publish: async (node, values) => {
      challenges.publish(node, values);
      await shownByAll(maps(), { node, log });
    },
    ...{ clock, chance, log },
  });
  return { challenges, certificates };
}

/** Waits until all of steering shows what a node shows to its authority. */
async function shownByAll(maps: SteeringMaps, { node, log }: { node: string; log: Log }): Promise<void> {
  const { steering, behind } = await maps.shown(node);
  if (steering === 0)
    throw coded('UNAVAILABLE', 'no steering node asks for maps, so nobody would show the challenge by DNS');
  if (behind > 0) log.warn({ node, steering, behind }, 'not every steering node shows the challenge');
}

async function openCatalog(
  { config, clock, chance, log }: Base,
  { stores, popularity, fleet }: { stores: Stores; popularity: Popularity; fleet: Fleet },
): Promise<Catalog> {
  const watchFolders = watchFoldersOf(config.watchFolders);
  return createCatalog({
    records: await stores.open('catalog'),
    blobs: await openBlobs(config.blobsUrl),
    ...{ clock, chance, log, fleet },
    popularityOf: (bundle) => popularity.popularityOf(bundle),
    options: {
      ...catalogDefaults,
      uploadsDir: join(config.dataDir, 'uploads'),
      ingestRoots: [...config.ingestRoots, ...watchFolders.map(({ path }) => path)].map((root) =>
        resolve(root),
      ),
      watchFolders,
      liveCopiesMin: config.placement.liveCopiesMin,
    },
  });
}

/** How viewers get pictures, and get them no more. */
function pictureLinks({ catalog, registry, clientSites, access, maps }: CoreServices, { clock }: Base) {
  const links = createArtworkLinks({
    artwork: catalog.artwork,
    nodes: () => registry.serving(),
    siteOf: (client) => clientSites.siteOf(client),
    mintToken: (claims) => access.mintToken(claims),
    clock,
  });
  return { links, revoke: (bundle: string) => maps.revoke({ bundles: [bundle] }) };
}

function countsOf({ registry, catalog, fill }: Pick<CoreServices, 'registry' | 'catalog' | 'fill'>) {
  return { nodes: registry.views(), titles: catalog.counts(), fill: fill.totals() };
}

function statusOf(
  services: Omit<CoreServices, 'status'>,
  { config, clock }: Base,
  directory: Directory,
): Status {
  const playback = directory.find(playbackCounts);
  return createStatus({
    counts: () => countsOf(services),
    sessionsToday: async () => (await playback.sessionsToday({})).sessions,
    clock,
    version: packageJson.version,
    steeringUrl: config.steeringUrl,
  });
}

/** Lets each service hear of the others' changes, and runs what runs beside requests. */
function backgroundWork(services: CoreServices, { clock, log }: Base): Component[] {
  const { access, registry, maintenance, catalog, fill, maps, popularity } = services;
  access.onClockRefused((nodeId) => {
    registry.noteClockRefused(nodeId);
  });
  registry.onChange(({ steering, holdings, placement }) => {
    if (steering || holdings) maps.changed();
    if (placement) fill.changed();
  });
  maintenance.onChange(() => {
    maps.changed();
  });
  catalog.onBundlesChange(() => {
    maps.changed();
    fill.changed();
  });
  popularity.onPopularityChange(() => {
    fill.changed();
  });
  fill.onPlanned(() => {
    maps.changed();
  });
  const keysFailed = (error: unknown): void => {
    log.error({ err: error }, 'the keys could not be looked after; those in force go on');
  };
  return [
    started('popularity', popularity),
    loop('keys', async (signal) => {
      const each = { clock, signal, onError: keysFailed };
      await Promise.all([
        every({ ...each, ms: dayMs, work: () => access.renew() }),
        every({ ...each, ms: minuteMs, work: () => access.mend() }),
      ]);
    }),
    loop('leases', (signal) => registry.watchLeases(signal)),
    loop('maintenance', (signal) => maintenance.watch(signal)),
    started('catalog', catalog),
    withStop(
      loop('fill', (signal) => fill.watch(signal)),
      () => fill.stop(),
    ),
    withStop(
      loop('steering-map', (signal) => maps.watch(signal)),
      () => maps.stop(),
    ),
  ];
}

import { join, resolve } from 'node:path';
import { openBlobs } from '../common/adapters/blobs/open.ts';
import { createSystemChance } from '../common/runtime/chance.ts';
import { createSystemClock } from '../common/runtime/clock.ts';
import { coded } from '../common/runtime/errors.ts';
import { httpComponent } from '../common/runtime/http-server.ts';
import type { Component } from '../common/runtime/lifecycle.ts';
import { createLog, type Log } from '../common/runtime/log.ts';
import { createMetrics } from '../common/runtime/metrics.ts';
import { runProcess } from '../common/runtime/run-process.ts';
import packageJson from '../package.json' with { type: 'json' };
import { everyDay, loop, started, withStop } from './background.ts';
import { openAuth } from './auth.ts';
import { openBackups } from './backups.ts';
import type { Base } from './base.ts';
import { authorityOf, controlPlaneHelp, readConfig } from './config.ts';
import {
  clientSitesOf,
  createFleet,
  noteSessions,
  playbackCatalog,
  publishedBundles,
  readyHolders,
  searchableTitles,
  servedNodes,
} from './fleet.ts';
import { fillSession } from './core/fill-session.ts';
import { createGateway } from './gateway/server.ts';
import { measureStatus } from './metrics.ts';
import { accessRoutes } from './services/access/routes.ts';
import type { Access } from './services/access/service.ts';
import { auditRoutes } from './services/audit/routes.ts';
import { createAudit } from './services/audit/service.ts';
import { backupRoutes } from './services/backup/routes.ts';
import { authRoutes } from './services/auth/routes.ts';
import { catalogDefaults, type Fleet } from './services/catalog/ports.ts';
import { catalogRoutes } from './services/catalog/routes.ts';
import { createCatalog, type Catalog } from './services/catalog/service.ts';
import { eventsDefaults } from './services/events/ports.ts';
import { eventsRoutes } from './services/events/routes.ts';
import { createEventsService, type EventsService } from './services/events/service.ts';
import type { FillSigner } from './services/fill/ports.ts';
import { fillRoutes } from './services/fill/routes.ts';
import { createFill, type Fill } from './services/fill/service.ts';
import { lazyRanker, type LazyRanker } from './services/playback/lazy-ranker.ts';
import { playbackDefaults } from './services/playback/ports.ts';
import { playbackRoutes } from './services/playback/routes.ts';
import { createPlayback, type Playback } from './services/playback/service.ts';
import { createChallenges } from './services/certificates/challenges.ts';
import { certificateRoutes } from './services/certificates/routes.ts';
import { createCertificates, type Certificates } from './services/certificates/service.ts';
import { openMaintenance, type MaintenanceCalendar } from './services/registry/maintenance.ts';
import { registryRoutes } from './services/registry/routes.ts';
import { createRegistry, type Registry } from './services/registry/service.ts';
import { routesRoutes } from './services/routes/routes.ts';
import { createRoutes, type Routes } from './services/routes/service.ts';
import { statusRoutes } from './services/status/routes.ts';
import { createStatus, type Status } from './services/status/service.ts';
import { searchRoutes } from './services/search/routes.ts';
import { createTitleSearch, type TitleSearch } from './services/search/service.ts';
import { steeringMapRoutes } from './services/steering-map/routes.ts';
import { createSteeringMaps, type SteeringMaps } from './services/steering-map/service.ts';
import { withdrawalRoutes } from './services/withdrawal/routes.ts';
import { openWithdrawals, type Withdrawals } from './services/withdrawal/service.ts';
import { openAccess, rotateKeys } from './keys.ts';
import { openStores, type Stores } from './stores.ts';
import { verifiersOf } from './verifiers.ts';

const { version } = packageJson;

/** Runs the control plane until it is told to stop. @returns its exit code; the options are in config.ts. */
export async function run(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(controlPlaneHelp());
    return 0;
  }
  const config = readConfig(argv, env);
  const log = createLog({ name: 'control-plane', ...config.log });
  const base = { config, clock: createSystemClock(), chance: createSystemChance(), log };
  if (config.rotateKeys) return rotateKeys(base);
  const plane = await openControlPlane(base);
  try {
    const { components, url, firstAdminCode } = plane;
    return await runProcess({
      name: 'control-plane',
      log,
      clock: base.clock,
      components,
      ready: () => ({ url: url(), ...(firstAdminCode !== undefined && { firstAdminCode }) }),
    });
  } finally {
    await plane.close();
  }
}

/** A control plane whose parts are open; its components start, drain and stop it. */
export interface ControlPlane {
  components: Component[];
  /** Where it listens, once it has started. */
  url: () => string;
  /** Every route as `METHOD /path`, for the test that none is without a credential. */
  routes: readonly string[];
  /** What makes the first admin; undefined where there are accounts. */
  firstAdminCode: string | undefined;
  /** Closes the records; after the components have stopped. */
  close(): Promise<void>;
}

/** Opens everything of a control plane on its data directory, and listens to nothing yet. */
export async function openControlPlane(base: Base): Promise<ControlPlane> {
  const stores = await openStores(base);
  try {
    const access = await openAccess(base, stores);
    return await compose(base, { stores, access });
  } catch (error) {
    await stores.close();
    throw error;
  }
}

async function compose(base: Base, opened: { stores: Stores; access: Access }): Promise<ControlPlane> {
  const { config, chance, log } = base;
  const { stores, access } = opened;
  const late: { url?: () => string } = {};
  const publicUrl = (): string => config.publicUrl ?? late.url?.() ?? '';
  const audit = createAudit({
    ledger: await stores.openLedger('audit'),
    keepMs: config.audit.keepDays * 86_400_000,
    ...{ clock: base.clock, log },
  });
  const auth = await openAuth(base, { stores, access, audit, publicUrl });
  const services = await openServices(base, { ...opened, publicUrl });
  const backups = await openBackups(base, { snapshots: stores, program: version });
  const metrics = createMetrics({ name: 'control-plane', version });
  measureStatus(metrics, () => services.status.view());
  const { server, routes } = await createGateway({
    version,
    log,
    metrics,
    chance,
    clock: base.clock,
    limits: config.gateway,
    audit,
    verifiers: verifiersOf({ access, auth, maps: services.maps }),
    trustedProxies: config.trustedProxies,
    corsOrigins: config.corsOrigins,
    clientsDir: config.clientsDir ?? join(import.meta.dirname, '..', 'clients', 'dist'),
    routes: ({ app, draining }) => {
      const { registry, maintenance, catalog, fill, maps, status, playback, events, withdrawals } = services;
      routesRoutes(app, { routes: services.routes });
      accessRoutes(app, { access });
      auditRoutes(app, { audit });
      authRoutes(app, { auth, clock: base.clock, chance });
      registryRoutes(app, { registry, maintenance });
      certificateRoutes(app, services);
      catalogRoutes(app, { catalog, draining });
      searchRoutes(app, services);
      playbackRoutes(app, { playback });
      eventsRoutes(app, { events });
      fillRoutes(app, { fill, draining });
      withdrawalRoutes(app, { withdrawals });
      steeringMapRoutes(app, { maps, draining });
      statusRoutes(app, { status });
      backupRoutes(app, { backups });
    },
  });
  const http = httpComponent(server, { host: config.host, port: config.port });
  late.url = http.url;
  const ended = loop('sessions', (signal) => auth.watch(signal));
  const audited = withStop(
    loop('audit', (signal) => audit.watch(signal)),
    () => audit.stop(),
  );
  const kept = started('backups', backups);
  const components = [...backgroundWork(services, base), ended, audited, kept, http];
  const close = async (): Promise<void> => {
    await services.ranker?.close();
    await stores.close();
  };
  return { components, url: http.url, routes, close, firstAdminCode: auth.firstAdmin.code() };
}

interface Services {
  access: Access;
  routes: Routes;
  registry: Registry;
  maintenance: MaintenanceCalendar;
  catalog: Catalog;
  search: TitleSearch;
  fill: Fill;
  maps: SteeringMaps;
  events: EventsService;
  playback: Playback;
  ranker: LazyRanker | undefined;
  withdrawals: Withdrawals;
  certificates: Certificates;
  status: Status;
}

interface Opened {
  stores: Stores;
  access: Access;
  publicUrl: () => string;
}

/** Opens the services and wires what each needs of the others; the closures are first called when all are there. */
async function openServices(base: Base, opened: Opened): Promise<Services> {
  const { config, clock, chance, log } = base;
  const { stores, access } = opened;
  const signer: FillSigner = {
    issue: (document) => access.documents.issue(document),
    mintToken: (claims) => access.mintToken(claims),
  };
  const events = await createEventsService({
    events: await stores.openEvents(),
    records: await stores.open('events'),
    nodes: servedNodes(access),
    ...{ clock, log, options: eventsDefaults },
  });
  const routes = await createRoutes({
    records: await stores.open('routes'),
    directory: join(config.dataDir, 'route-tables'),
    nodes: () => registry,
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
    served: (nodeId) => events.servedBy(nodeId),
    ...{ routes, clock, log, leaseMs: config.leaseMs },
  });
  await registry.start();
  const published = {
    bundles: () => publishedBundles(catalog.bundles()),
    popularityAt: (site: string) => events.popularityAt(site),
  };
  const shared = { nodes: registry, catalog: () => published, signer, clock, log };
  const settings = { ...config.placement, ladderWorth: 1, leftMax: 1000, ...config.fill };
  const fill = await createFill({ ...shared, records: await stores.open('fill'), settings });
  const catalog = await openCatalog(base, { stores, events, fleet: createFleet({ registry, fill }) });
  const index = await stores.openSearch('titles');
  const search = createTitleSearch({ index, titles: searchableTitles(catalog), clock, log });
  const withdrawals = await openWithdrawals({
    records: await stores.open('withdrawal'),
    catalog,
    nodes: { serving: () => registry.serving(), findNode: (kid) => access.identities.findNode(kid) },
    revocations: {
      revoke: (bundle) => maps.revoke({ bundles: [bundle] }),
      lift: (bundle) => maps.lift(bundle),
    },
    ...{ clock, chance, log },
  });
  const { challenges, certificates } = openCertificates(base, () => maps);
  const maps = await createSteeringMaps({
    ...shared,
    routes,
    challenges: () => challenges.published(),
    records: await stores.open('steering-map'),
    withdrawals: () => withdrawals.active(),
    maintenance: () => maintenance.current(),
  });
  await withdrawals.start();
  const { playback, ranker } = await openPlayback(base, { ...opened, registry, routes, catalog, events });
  const services = {
    ...{ access, routes, registry, maintenance, catalog, search, fill },
    ...{ maps, events, playback, ranker, withdrawals, certificates },
  };
  return { ...services, status: statusOf(services, base) };
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
  { stores, events, fleet }: { stores: Stores; events: EventsService; fleet: Fleet },
): Promise<Catalog> {
  return createCatalog({
    records: await stores.open('catalog'),
    blobs: await openBlobs(config.blobsUrl),
    ...{ clock, chance, log, fleet },
    popularityOf: (bundle) => events.popularityOf(bundle),
    options: {
      ...catalogDefaults,
      uploadsDir: join(config.dataDir, 'uploads'),
      ingestRoots: config.ingestRoots.map((root) => resolve(root)),
      liveCopiesMin: config.placement.liveCopiesMin,
    },
  });
}

async function openPlayback(
  { config, clock, chance, log }: Base,
  opened: Opened & { registry: Registry; routes: Routes; catalog: Catalog; events: EventsService },
): Promise<{ playback: Playback; ranker: LazyRanker | undefined }> {
  const { stores, access, publicUrl, registry, routes, catalog, events } = opened;
  const { steeringUrl } = config;
  const serviceToken = () => access.createAccessToken({ role: 'service', sub: 'control-plane', ttlS: 3600 });
  const ranker =
    steeringUrl === undefined ? undefined : lazyRanker({ steeringUrl, clock, chance, serviceToken });
  const { siteOf } = clientSitesOf({ registry, routes, clock, log });
  const playback = await createPlayback({
    records: await stores.open('playback'),
    catalog: playbackCatalog(catalog, siteOf),
    readyHolders: ({ files }) => readyHolders(registry, files),
    tokens: access,
    rank: ranker?.rank,
    onBegun: noteSessions({ events, siteOf, log }),
    ...{ clock, chance, log },
    options: { ...playbackDefaults, publicUrl, steeringUrl },
  });
  return { playback, ranker };
}

function statusOf(services: Omit<Services, 'status'>, { config, clock }: Base): Status {
  const { registry, catalog, fill, playback } = services;
  return createStatus({
    sources: {
      nodes: () => registry.views(),
      titles: () => catalog.counts(),
      fill: () => fill.totals(),
      sessionsToday: () => playback.sessionsToday(),
    },
    clock,
    version,
    steeringUrl: config.steeringUrl,
  });
}

/** Lets each service hear of the others' changes, and runs what runs beside requests. */
function backgroundWork(services: Services, { clock, log }: Base): Component[] {
  const { access, registry, maintenance, catalog, search, fill, maps, events, playback } = services;
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
  events.onPopularityChange(() => {
    fill.changed();
  });
  const keysFailed = (error: unknown): void => {
    log.error({ err: error }, 'the keys could not be looked after; those in force go on');
  };
  return [
    started('events', events),
    loop('keys', (signal) => everyDay({ clock, signal, work: () => access.renew(), onError: keysFailed })),
    loop('leases', (signal) => registry.watchLeases(signal)),
    loop('maintenance', (signal) => maintenance.watch(signal)),
    started('catalog', catalog),
    loop('search', (signal) => search.run(signal)),
    started('playback', playback),
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

import { join } from 'node:path';
import { createSystemChance, type Chance } from '../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../common/runtime/clock.ts';
import { verifyAccessToken } from '../common/runtime/access-tokens.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
import { createHttpServer, httpComponent, type HttpServer } from '../common/runtime/http-server.ts';
import { identityComponent, openIdentity, type Identity } from '../common/runtime/identity.ts';
import type { Component } from '../common/runtime/lifecycle.ts';
import { createLog, type Log } from '../common/runtime/log.ts';
import { createMetrics } from '../common/runtime/metrics.ts';
import { readEnrolmentCode } from '../common/runtime/node-options.ts';
import { routeTableBytesMax } from '../common/runtime/route-table-packing.ts';
import { runProcess } from '../common/runtime/run-process.ts';
import packageJson from '../package.json' with { type: 'json' };
import { createBrain, type Brain } from './brain.ts';
import { readConfig, steeringHelp, type SteeringConfig } from './config.ts';
import type { TtlPolicy } from './core/content-steering.ts';
import { createDnsComponent } from './dns/component.ts';
import { WorkerFeed } from './dns/worker-feed.ts';
import type { SteerPolicy } from './dns/worker-messages.ts';
import { createPlaceFile, type PlaceFile } from './geo/place-file.ts';
import { createHistoryPart, type HistoryPart } from './history/history-part.ts';
import { Recorder } from './history/recorder.ts';
import { createClientAddressOf } from '../common/runtime/client-address.ts';
import { addExplainRoutes } from './http/explain-routes.ts';
import { addHealthRoutes } from './http/health-routes.ts';
import { addSteeringRoutes } from './http/routes.ts';
import { createSteerFastPath, steerPath } from './http/steer-answer.ts';
import { createTokenVerifier } from './http/token-verifier.ts';
import { createNativeFront } from './http/native-front.ts';
import { createMapFollower, type MapFollower } from './map/map-follower.ts';
import { createMapHolder, type MapHolder } from './map/map-holder.ts';
import { createMapLoader, type MapLoader } from './map/map-loader.ts';
import type { MissingTable } from './map/map-compiler.ts';
import { createMapSnapshot } from './map/snapshot.ts';
import { createSteeringMetrics, type SteeringMetrics } from './metrics.ts';
import { announceComponent } from './monitor/announce.ts';
import { createHealthPart, type HealthPart } from './monitor/health-part.ts';
import { loadNativeAddon, type NativeAddon } from './native-addon.ts';
import type { Outlook } from './outlook.ts';

interface Base {
  readonly config: SteeringConfig;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly identity: Identity;
  readonly metrics: SteeringMetrics;
}

const MAP_BYTES_MAX = 64 * 1024 * 1024;
const MAP_WAIT_MS = 25_000;
const TOKEN_SALT_BYTES = 16;

/** Runs steering until it is told to stop. @returns its exit code; the options are in config.ts. */
export async function run(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(steeringHelp());
    return 0;
  }
  const config = readConfig(argv, env);
  const log = createLog({ name: 'steering', ...config.log });
  const clock = createSystemClock();
  const chance = createSystemChance();
  const data = await openDataDir({ path: config.dataDir, kind: 'steering', formatVersion: 1 });
  try {
    const { dataDir, controlUrl } = config;
    const code = readEnrolmentCode(config);
    const identity = await openIdentity({ dataDir, role: 'steering', controlUrl, code, clock, chance, log });
    const metrics = createSteeringMetrics(
      createMetrics({ name: identity.nodeId, version: packageJson.version }),
    );
    return await serve({ config, clock, chance, log, identity, metrics });
  } finally {
    await data.close();
  }
}

async function serve(base: Base): Promise<number> {
  const { config, clock, chance, log, identity, metrics } = base;
  const addon = loadNativeAddon(log);
  const health = createHealthPart(base, () => feed.healthChanged());
  const feed = createFeed(base, health);
  const recorder = createRecorder(base, { health, outlook: () => brain.outlook() });
  const tables = join(config.dataDir, 'map-tables');
  const loader = createMapLoader({ tables, image: join(config.dataDir, 'steering-map.routes') });
  const holder = createMapHolder({
    compiler: loader,
    snapshot: createMapSnapshot(join(config.dataDir, 'steering-map.jws'), log),
    onMap: (jws) => {
      recorder.mapTaken(jws);
    },
    findKey: (kid) => identity.keyring.find(kid, 'documents'),
    clock,
    log,
    onView: (view) => {
      health.watch(view);
      feed.mapChanged(view);
    },
    onRefused: (code) => metrics.mapsRefused.inc({ code }),
  });
  const follower = createFollower(base, holder);
  const places = createPlaces(base, feed);
  const brain = createBrain({
    view: () => holder.view(),
    places: () => places?.places(),
    monitor: health.monitor,
    ...policyOf(config),
    ttl: ttlOf(config),
    changedAtMs: health.changedAtMs,
    decisions: recorder,
    isConnected: () => follower.isConnected(),
    clock,
    fraction: () => chance.fraction(),
  });
  metrics.watch(brain, health.monitor, () => clock.nowMs());
  const history = createHistoryPart({ ...base, tables, recorder, places: () => places?.bytes() });
  const server = await createServer(base, { brain, health, history, addon });
  const http = httpComponent(server, { host: config.host, port: config.port });
  const dns = createDnsComponent({
    ...base,
    source: brain,
    addon,
    feed,
    policy: policyOf(config),
    decisions: recorder,
  });
  return runProcess({
    name: identity.nodeId,
    log,
    clock,
    components: [
      identityComponent(identity, { clock, chance, log }),
      ...(places === undefined ? [] : [places.component]),
      health.component,
      history.component,
      mapComponent({ holder, follower, loader }),
      ...(config.dns ? [dns] : []),
      http,
      announceComponent({ config, identity, clock, log, url: () => http.url() }),
    ],
    ready: () => ({
      url: http.url(),
      ...(config.dns && { dns: dns.address() }),
      mapSequence: holder.sequence(),
    }),
  });
}

function createFollower({ identity, clock, chance, log }: Base, holder: MapHolder): MapFollower {
  return createMapFollower({ source: mapSource(identity), holder, clock, chance, log, waitMs: MAP_WAIT_MS });
}

/** Of those whom no route reaches; told to DNS's thread too. */
function createPlaces({ config, clock, log }: Base, feed: WorkerFeed): PlaceFile | undefined {
  if (config.geoFile === undefined) return undefined;
  const file = createPlaceFile({ path: config.geoFile, clock, log });
  file.onChange((bytes) => {
    feed.placesChanged(bytes);
  });
  return file;
}

function createRecorder(
  { config, clock, chance }: Base,
  { health, outlook }: { health: HealthPart; outlook: () => Outlook | undefined },
): Recorder {
  const { policy, placeUnknown } = policyOf(config);
  const read = { health: () => health.monitor.health(), outlook };
  return new Recorder({ ...read, policy, placeUnknown, clock, fraction: () => chance.fraction() });
}

function ttlOf(config: SteeringConfig): TtlPolicy {
  return {
    healthyS: config.ttlHealthyS,
    healthySpread: 0.1,
    incidentMinS: config.ttlIncidentMinS,
    incidentMaxS: config.ttlIncidentMaxS,
  };
}

function policyOf(config: SteeringConfig): SteerPolicy {
  return {
    policy: { order: config.rankOrder, headroomMin: config.headroomMin, waysMax: config.waysMax },
    dnsTtl: {
      healthyS: config.dnsTtlHealthyS,
      incidentMinS: config.dnsTtlIncidentS,
      incidentMaxS: config.dnsTtlIncidentS,
    },
    placeUnknown: config.placeUnknown,
    incidentMs: config.incidentMs,
  };
}

function mapSource(identity: Identity) {
  return {
    fetchMap: async ({ after, waitMs }: { after: number; waitMs: number }, signal: AbortSignal) => {
      const { status, value } = await identity.control.text({
        method: 'GET',
        path: '/v1/steering-map',
        query: { after, waitMs },
        waitMs,
        signal,
        retriesMax: 0,
        answerBytesMax: MAP_BYTES_MAX,
      });
      return status === 204 ? undefined : value;
    },
    fetchTable: async ({ kind, name, from }: MissingTable, signal: AbortSignal) => {
      const path = kind === 'routes' ? `/v1/route-tables/${name}` : `/v1/holdings/${name}`;
      const { value } = await identity.control.bytes({
        ...{ method: 'GET', path, query: { from }, signal },
        answerBytesMax: routeTableBytesMax,
      });
      return value;
    },
    refreshKeys: async (signal: AbortSignal) => {
      await identity.refreshKeyset(signal);
    },
  };
}

function mapComponent({
  holder,
  follower,
  loader,
}: {
  holder: MapHolder;
  follower: MapFollower;
  loader: MapLoader;
}): Component {
  let done: Promise<void> | undefined;
  const follow = async (signal: AbortSignal): Promise<void> => {
    // A map that was loaded may have been merged anew.
    await holder.write();
    await follower.run(signal);
  };
  return {
    name: 'map',
    start: async ({ signal, crash }) => {
      await holder.load();
      done = follow(signal).catch(crash);
    },
    stop: async () => {
      await done;
      await holder.write();
      await loader.close();
    },
  };
}

/** What the server answers from. */
interface Served {
  readonly brain: Brain;
  readonly health: HealthPart;
  readonly history: HistoryPart;
  readonly addon: NativeAddon | undefined;
}

async function createServer(
  { config, clock, chance, log, identity, metrics }: Base,
  { brain, health, history, addon }: Served,
): Promise<HttpServer> {
  const { keyring, nodeId } = identity;
  const verify = createTokenVerifier({
    findKey: (kid) => keyring.find(kid, 'tokens'),
    keysSequence: () => keyring.sequence(),
    salt: chance.bytes(TOKEN_SALT_BYTES).toString('hex'),
    clock,
  });
  const server = await createHttpServer({
    name: nodeId,
    version: packageJson.version,
    log,
    metrics: metrics.registry,
    cors: ['*'],
    credentials: {
      access: (token) => verifyAccessToken(token, { findKey: (kid) => keyring.find(kid, 'access'), clock }),
      delivery: verify,
      node: health.verifyNode,
    },
    openapi: { title: 'Nearcast steering', version: packageJson.version },
    openFront: addon && ((options) => createNativeFront(addon, options)),
  });
  const steer = {
    brain,
    clientAddressOf: createClientAddressOf(config.trustedProxies),
    publicUrl: config.publicUrl,
    clock,
  };
  addSteeringRoutes(server.app, steer);
  server.before(`${steerPath}:token`, createSteerFastPath({ ...steer, verify }));
  addExplainRoutes(server.app, { brain, history });
  addHealthRoutes(server.app, { brain, monitor: health.monitor });
  health.addTo(server.app, server.draining);
  return server;
}

/** What a thread of its own needs to know of health to answer as this one. */
function createFeed({ clock }: Base, { monitor, changedAtMs }: HealthPart): WorkerFeed {
  return new WorkerFeed(() => {
    const atMs = changedAtMs();
    const changedAgoMs = atMs === undefined ? undefined : clock.monotonicMs() - atMs;
    return { health: monitor.health(), holding: monitor.holding(), changedAgoMs };
  });
}

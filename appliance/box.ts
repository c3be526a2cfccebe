import { join } from 'node:path';

import { documentTypes, Revocations } from '../common/contract/documents.ts';
import { createSystemChance, type Chance } from '../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../common/runtime/clock.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
import { identityComponent, openIdentity, type Identity } from '../common/runtime/identity.ts';
import type { Component } from '../common/runtime/lifecycle.ts';
import { createLog, type Log } from '../common/runtime/log.ts';
import { createMetrics, type Metrics } from '../common/runtime/metrics.ts';
import { readEnrolmentCode } from '../common/runtime/node-options.ts';
import { runProcess } from '../common/runtime/run-process.ts';
import packageJson from '../package.json' with { type: 'json' };
import { createTls } from './tls/tls-part.ts';
import type { ApplianceConfig } from './config.ts';
import type { DiskChild } from './disk/disk-child.ts';
import { scrubComponent, Scrubber } from './disk/scrubber.ts';
import { storageComponent } from './disk/storage-component.ts';
import { Drain } from './drain.ts';
import { loadComponent } from './engine/load-watch.ts';
import type { EarlyStart } from './early-start.ts';
import { createFill, type FillPart, type FillPartOptions } from './fill/fill-part.ts';
import { Room, roomComponent } from './fill/room.ts';
import { nodeRecords, registerGauges, type ScrubRecords, type UplinkRecords } from './metrics.ts';
import { createPull, type PullPart } from './pull/pull-part.ts';
import type { RouteSource } from './routes/route-source.ts';
import { RouteUplink } from './routes/route-uplink.ts';
import { openRouteSource, routesComponent } from './routes/routes-part.ts';
import { recordsComponent } from './records/records-component.ts';
import { createServing } from './serving/create-serving.ts';
import type { ServingUnit } from './serving/unit.ts';
import { openDiskStorage, type Storage } from './storage.ts';
import type { FileStore } from './store/file-store.ts';
import { BoxStatus } from './uplink/box-status.ts';
import { ControlLink } from './uplink/control-link.ts';
import { DocumentKeeper } from './uplink/document-keeper.ts';
import { HealthStreams } from './uplink/health-streams.ts';
import { HeartbeatSender } from './uplink/heartbeat.ts';
import { HoldingsDelta } from './uplink/holdings-delta.ts';
import { countFilled, createServed, servedComponent } from './uplink/served-part.ts';
import type { ServedReports } from './uplink/served-reports.ts';
import { uplinkComponent } from './uplink/uplink.ts';
import { createWithdrawals, withdrawalsComponent, type Withdrawals } from './uplink/withdrawals.ts';

const { version } = packageJson;
const announceMsMax = 1000;

interface Base {
  config: ApplianceConfig;
  clock: Clock;
  chance: Chance;
  log: Log;
  identity: Identity;
  early: EarlyStart;
  /** The configuration as it is by now. */
  readAgain: () => ApplianceConfig;
}

/** Runs a box by its configuration, with the processes that were started for it. @returns its exit code. */
export async function runBox({
  config,
  early,
  readAgain,
}: Pick<Base, 'config' | 'early' | 'readAgain'>): Promise<number> {
  const clock = createSystemClock();
  const chance = createSystemChance();
  const role = config.origin ? 'origin' : 'appliance';
  const source = await openRouteSource({ config, clock, log: createLog({ name: role, ...config.log }) });
  const dataDir = await openDataDir({ path: config.dataDir, kind: role, formatVersion: 1 });
  try {
    const identity = await openIdentity({
      dataDir: config.dataDir,
      role,
      controlUrl: config.controlUrl,
      code: readEnrolmentCode(config),
      clock,
      chance,
      log: createLog({ name: role, ...config.log }),
    });
    const log = createLog({ name: identity.nodeId, ...config.log });
    return await serve({ config, clock, chance, log, identity, early, readAgain }, source);
  } finally {
    await dataDir.close();
  }
}

async function serve(base: Base, source: RouteSource): Promise<number> {
  const { config, clock, log, identity, early, readAgain } = base;
  const metrics = createMetrics({ name: identity.nodeId, version });
  const records = nodeRecords(metrics);
  const storage = await openStorage(base);
  const { store } = storage;
  const link = new ControlLink(identity.control, identity.nodeId);
  const served = createServed({ ...base, link });
  const room = store && createRoom(base, store);
  const pull = store && room && createPullOf(base, { store, room, metrics, link, served });
  const serving = createServing({
    ...base,
    ...{ name: identity.nodeId, version, keyring: identity.keyring },
    ...{ storage, pulls: pull?.puller, metrics },
    ...{ addon: early.addon, early: early.takeWorkers() },
    onServed: (file, scope, bytes) => {
      store?.noteSent(file);
      if (scope !== 'fill') room?.noteSent(file, bytes);
      pull?.puller.noteSent(file, bytes);
      scrubber?.noteSent(file, bytes);
      served.add(file, scope, bytes);
    },
  });
  early.end();
  const scrubber = store && createScrubber(base, { store, serving, records: records.scrub });
  const revocations = createRevocations(base, records.uplink);
  const withdrawals = createWithdrawals({ ...base, store, shared: pull?.store, link });
  const filling = { store, room, pull, serving, link, withdrawals, records: countFilled(records, served) };
  const fill = createFillOf(base, filling);
  applyRevocations(revocations, { serving, withdrawals, fill });
  const holdings = new HoldingsDelta(() => store?.held.keys() ?? []);
  const drain = new Drain({ serving, clock, drainMs: config.drainMs, announce: () => announce() });
  const tls = createTls({ ...base, serving, link });
  const routes = new RouteUplink({ link, clock, log, records: records.uplink });
  const status = new BoxStatus({ config, clock, serving, drain, storage, revocations, routes, fill, tls });
  const { heartbeats, streams, announce } = createReports(base, { link, status, holdings, routes, records });
  followStorage(storage, { holdings, heartbeats, fill });
  registerGauges(metrics, {
    load: () => serving.load(),
    heldFiles: () => store?.held.size ?? 0,
    missingFiles: () => fill?.filler.missingFiles ?? 0,
    disks: () => storage.diskStates(),
    routes: () => routes.routeCount,
    droppedReports: () => ({ served: served.dropped, fill: fill?.droppedReports() ?? 0 }),
  });
  const components: Component[] = [
    storageComponent({ storage, readAgain, log }),
    ...(room === undefined ? [] : [roomComponent(room)]),
    keysComponent(base, serving),
    documentsComponent([revocations, ...(fill === undefined ? [] : [fill.manifest])]),
    recordsComponent({ ...base, serving }),
    servedComponent(served),
    ...(tls?.components ?? []),
    servingComponent(base, { serving, drain, status }),
    loadComponent({ serving, config, clock, log, onLevel: () => heartbeats.hurry() }),
    streams.component,
    routesComponent({ source, routes }),
    uplinkComponent({ ...base, link, heartbeats, revocations, manifest: fill?.manifest }),
    withdrawalsComponent(withdrawals),
    ...(fill === undefined ? [] : [fill.component]),
    ...(pull === undefined ? [] : [pull.component]),
    ...(scrubber === undefined ? [] : [scrubComponent(scrubber)]),
  ];
  return runProcess({
    ...{ name: identity.nodeId, log, clock, components },
    ready: () => ({ url: status.url, role: identity.role, heldFiles: store?.held.size ?? 0 }),
  });
}

async function openStorage({ config, clock, chance, log, identity, early }: Base): Promise<Storage> {
  const { blobsUrl } = config;
  if (blobsUrl !== undefined) {
    const { openBlobStorage } = await import('./blob-storage.ts');
    return openBlobStorage({ config, clock, log }, blobsUrl);
  }
  const startDisk = (): DiskChild => early.takeDisk();
  return openDiskStorage({ config, clock, chance, log, box: identity.nodeId, startDisk });
}

/** Fill works on the downloads that pull-through works on, where that is wanted, and is what comes first on the disk. */
function createFillOf(
  base: Base,
  parts: Pick<FillPartOptions, 'link' | 'records' | 'withdrawals'> & {
    store: FileStore | undefined;
    room: Room | undefined;
    pull: PullPart | undefined;
    serving: ServingUnit;
  },
): FillPart | undefined {
  const { pull, room, serving } = parts;
  const store = pull?.store ?? parts.store;
  if (store === undefined || room === undefined) return undefined;
  return createFill({ ...base, ...parts, store, room, level: () => serving.load().level });
}

function createRoom({ config, clock, log }: Base, store: FileStore): Room {
  return new Room({
    ...{ store, clock, log },
    policy: config.eviction,
    path: join(config.dataDir, 'asked.json'),
  });
}

function createPullOf(
  base: Base,
  parts: { store: FileStore; room: Room; metrics: Metrics; link: ControlLink; served: ServedReports },
): PullPart | undefined {
  const { link, served } = parts;
  return createPull({
    ...base,
    ...parts,
    askSources: (files, signal) => link.fillSources(files, signal, 'pull'),
    onReceived: (bytes) => {
      served.filled(bytes);
    },
  });
}

/** What changes on the disks is told at once, and the fill makes of it what it can. */
function followStorage(
  storage: Storage,
  parts: { holdings: HoldingsDelta; heartbeats: HeartbeatSender; fill: FillPart | undefined },
): void {
  const { holdings, heartbeats, fill } = parts;
  storage.store?.onChange((change) => {
    holdings.note(change);
    heartbeats.hurry();
  });
  storage.onDisks(() => {
    fill?.filler.planAgain();
    heartbeats.hurry();
  });
}

function createScrubber(
  { config, clock, chance, log }: Base,
  parts: { store: FileStore; serving: ServingUnit; records: ScrubRecords },
): Scrubber {
  const { store, serving, records } = parts;
  return new Scrubber({
    ...{ store, records, clock, chance, log },
    path: join(config.dataDir, 'scrub.json'),
    budgetBytes: config.scrubMonthlyBytes,
    isBusy: () => serving.load().level !== 'normal',
  });
}

/** The two that are told how the box is: the control plane by heartbeats, and each steering node by a stream. */
function createReports(
  { clock, chance, log, identity }: Base,
  parts: {
    link: ControlLink;
    status: BoxStatus;
    holdings: HoldingsDelta;
    routes: RouteUplink;
    records: { uplink: UplinkRecords };
  },
): { heartbeats: HeartbeatSender; streams: HealthStreams; announce: () => Promise<void> } {
  const { link, status, holdings, routes, records } = parts;
  const authorize = identity.authorize('steering');
  const streams = new HealthStreams({ authorize, report: () => status.report(), clock, chance, log });
  const heartbeats = new HeartbeatSender({
    incarnation: chance.bytes(12).toString('hex'),
    send: (body, signal) => link.heartbeat(body, signal),
    facts: () => status.facts(),
    onReply: (reply, sentAtMs) => {
      status.heard(reply, sentAtMs);
      streams.setNodes(reply.steering ?? []);
      routes.heard(reply.routeTable, sentAtMs);
    },
    holdings,
    clock,
    log,
    records: records.uplink,
  });
  const announce = async (): Promise<void> => {
    streams.hurry();
    await heartbeats.send(AbortSignal.timeout(announceMsMax));
  };
  return { heartbeats, streams, announce };
}

function createRevocations({ config, clock, log, identity }: Base, records: UplinkRecords) {
  return new DocumentKeeper({
    typ: documentTypes.revocations,
    schema: Revocations,
    audience: identity.nodeId,
    path: join(config.dataDir, 'revocations.jws'),
    findKey: (kid) => identity.keyring.find(kid, 'documents'),
    clock,
    log,
    records,
  });
}

/** Refused at once, deleted and no longer filled. */
function applyRevocations(
  revocations: ReturnType<typeof createRevocations>,
  parts: { serving: ServingUnit; withdrawals: Withdrawals; fill: FillPart | undefined },
): void {
  const { serving, withdrawals, fill } = parts;
  revocations.onTaken(({ sequence, body }) => {
    serving.setRevocations(body);
    withdrawals.set(sequence, body);
    fill?.applyManifest();
  });
}

function keysComponent({ identity, clock, chance, log }: Base, serving: ServingUnit): Component {
  const onChange = (): void => {
    serving.keysChanged();
  };
  return identityComponent(identity, { clock, chance, log, onChange });
}

/** The documents that an earlier process kept are in force before the first request is answered. */
function documentsComponent(keepers: readonly { load(): Promise<void> }[]): Component {
  return {
    name: 'documents',
    async start() {
      for (const keeper of keepers) await keeper.load();
    },
  };
}

function servingComponent(
  { config }: Base,
  parts: { serving: ServingUnit; drain: Drain; status: BoxStatus },
): Component {
  const { serving, drain, status } = parts;
  return {
    name: 'serving',
    async start() {
      status.listensAt(await serving.start());
    },
    drain: () => drain.end(),
    drainTimeoutMs: config.drainMs + 5000,
    stop: () => serving.close(0),
  };
}

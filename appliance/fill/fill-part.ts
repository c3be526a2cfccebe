import { join } from 'node:path';

import { documentTypes, FillManifest } from '../../common/contract/documents.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Identity } from '../../common/runtime/identity.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { ApplianceConfig } from '../config.ts';
import type { LoadLevel } from '../core/judge-load.ts';
import type { FillRecords, UplinkRecords } from '../metrics.ts';
import type { FileStore } from '../store/file-store.ts';
import type { ControlLink } from '../uplink/control-link.ts';
import { DocumentKeeper } from '../uplink/document-keeper.ts';
import type { Withdrawals } from '../uplink/withdrawals.ts';
import { Filler } from './filler.ts';
import { Pacer } from './pacer.ts';
import { ReportSpool } from './report-spool.ts';
import type { Room } from './room.ts';
import { SourceClient } from './source-client.ts';

export interface FillPartOptions {
  config: ApplianceConfig;
  clock: Clock;
  chance: Chance;
  log: Log;
  identity: Identity;
  store: FileStore;
  room: Room;
  link: ControlLink;
  withdrawals: Pick<Withdrawals, 'allowed'>;
  records: { fill: FillRecords; uplink: UplinkRecords };
  /** How busy viewers keep the box. */
  level: () => LoadLevel;
}

/** What fills a box: the filler, the manifest that it follows, and the component that runs them. */
export interface FillPart {
  readonly filler: Filler;
  readonly manifest: DocumentKeeper<typeof FillManifest>;
  readonly component: Component;
  /** Goes by the manifest held once more: what is allowed of it has changed. */
  applyManifest(): void;
  /** Reports that were lost. */
  readonly droppedReports: () => number;
}

const reportsMax = 1000;

/** Puts the parts of the fill together. */
export function createFill(options: FillPartOptions): FillPart {
  const { config, clock, chance, log, store, room, link, records } = options;
  const pacer = new Pacer({
    clock,
    sourceBytesPerSecond: config.fillSourceCapBytesPerSecond,
    level: options.level,
  });
  const sources = new SourceClient({
    pacer,
    clock,
    stallMs: config.fillStallMs,
  });
  const spool = new ReportSpool({
    path: join(config.dataDir, 'fill-reports'),
    send: (report, signal) => link.fillReport(report, signal),
    reportsMax,
    clock,
    chance,
    log,
  });
  const filler = new Filler({
    store,
    room,
    sources,
    pacer,
    askSources: (files, signal) => link.fillSources(files, signal),
    report: (sequence, outcome) => {
      spool.add(sequence, outcome);
    },
    records: records.fill,
    clock,
    chance,
    log,
    concurrency: config.fillConcurrency,
    capBytesPerSecond: config.fillCapBytesPerSecond,
  });
  const manifest = createManifest(options);
  const applyManifest = (): void => {
    const { current } = manifest;
    if (current !== undefined)
      filler.setManifest(current.sequence, options.withdrawals.allowed(current.body));
  };
  manifest.onTaken(applyManifest);
  const component = fillComponent({ filler, spool, sources });
  return { filler, manifest, component, applyManifest, droppedReports: () => spool.dropped };
}

function createManifest({ config, clock, log, identity, records }: FillPartOptions) {
  return new DocumentKeeper({
    typ: documentTypes.fillManifest,
    schema: FillManifest,
    audience: identity.nodeId,
    path: join(config.dataDir, 'fill-manifest.jws'),
    findKey: (kid) => identity.keyring.find(kid, 'documents'),
    clock,
    log,
    records: records.uplink,
  });
}

function fillComponent(parts: { filler: Filler; spool: ReportSpool; sources: SourceClient }): Component {
  const { filler, spool, sources } = parts;
  let done: Promise<unknown> | undefined;
  return {
    name: 'fill',
    async start({ signal, crash }) {
      await spool.open();
      done = Promise.all([filler.run(signal), spool.run(signal)]).catch(crash);
    },
    async stop() {
      await done;
      await spool.close();
      await sources.close();
    },
  };
}

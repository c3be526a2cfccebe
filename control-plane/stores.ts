import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openEvents } from '../common/adapters/events/open.ts';
import type { Events } from '../common/adapters/events/port.ts';
import { openAuditLog } from '../common/adapters/audit-log/open.ts';
import type { AuditLog } from '../common/adapters/audit-log/port.ts';
import { openBooks, openGrouped, openRecords } from '../common/adapters/records/open.ts';
import type { Books, Records } from '../common/adapters/records/port.ts';
import type { Search } from '../common/adapters/search/port.ts';
import { openViewing } from '../common/adapters/viewing/open.ts';
import type { Viewing } from '../common/adapters/viewing/port.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
import type { CodedError } from '../common/runtime/errors.ts';
import type { Component } from '../common/runtime/lifecycle.ts';
import type { Base } from './base.ts';
import { dataFormatVersion, dataKind } from './data-format.ts';
import {
  createGate,
  createMeeting,
  gatedBooks,
  gatedAuditLog,
  gatedRecords,
  gatedViewing,
} from './gated-stores.ts';
import { openSearchIndex } from './search-index.ts';

/** How all records are copied. */
export interface SnapshotOptions {
  /** Where each service's file comes to lie, as `<service>.db`. */
  directory: string;
  /** How much is copied, from 0 to 1. */
  onProgress: (fraction: number) => void;
  signal: AbortSignal;
}

/** The records of the services and the event log, in the data directory. */
export interface Stores {
  /** The same ones for all who ask: two parts of a service may run in one process. */
  open(service: string): Promise<Records>;
  /**
   * For many small commits: none of them holds the process while the disk takes it, and those that meet share the wait, or with `written` nobody
   * waits for the disk. Read openGroupedRecords first.
   */
  openGrouped(service: string, answers?: 'synced' | 'written'): Promise<Records>;
  openBooks(service: string): Promise<Books>;
  openEvents(): Promise<Events>;
  openSearch(service: string): Promise<Search>;
  openAuditLog(service: string): Promise<AuditLog>;
  /**
   * Copies the records of all services while they are used, all as of one moment, which it gives (wall clock, ms): the copies hold what the disk
   * would hold if the process had been killed then. Changes wait for the moment that the ends of the copies take.
   */
  snapshot(options: SnapshotOptions): Promise<number>;
  openViewing(): Promise<Viewing>;
  /** Ends the process when a disk has lost what was written: STORE_UNSYNCED. */
  readonly component: Component;
  close(): Promise<void>;
}

/** Opens the data directory, locked against a second control plane; errors of openDataDir. */
export async function openStores({
  config,
  clock,
  log,
}: Pick<Base, 'config' | 'clock' | 'log'>): Promise<Stores> {
  const data = await openDataDir({ path: config.dataDir, kind: dataKind, formatVersion: dataFormatVersion });
  const opened: { close(): Promise<void> }[] = [];
  const services = new Map<string, Pick<Records, 'copyTo'>>();
  const gate = createGate();
  const lost = Promise.withResolvers<CodedError>();
  const urlOf = (service: string) => sqliteUrl(join(config.dataDir, 'records', `${service}.db`));
  const keep = <T extends Pick<Records, 'copyTo' | 'close'>>(service: string, store: T): T => {
    opened.push(store);
    services.set(service, store);
    return store;
  };
  const { resolve: onLost } = lost;
  const open = new Map<string, Promise<Records>>();
  const openOnce = async (service: string): Promise<Records> =>
    gatedRecords(keep(service, await openRecords(urlOf(service))), gate);
  return {
    open: (service) => open.getOrInsertComputed(service, openOnce),
    async openGrouped(service, answers = 'synced') {
      const options = { onLost, syncsLaterBy: answers === 'written' ? clock : undefined };
      return gatedRecords(keep(service, await openGrouped(urlOf(service), options)), gate);
    },
    openBooks: async (service) =>
      gatedBooks(keep(service, await openBooks(urlOf(service), { onLost })), gate),
    async openEvents() {
      const events = await openEvents(pathToFileURL(join(config.dataDir, 'events')).href, {
        report: (report) => {
          log.warn(report, 'the event log has lost something');
        },
      });
      opened.push(events);
      return events;
    },
    async openSearch(service) {
      const { dataDir, search: options } = config;
      const fileUrl = sqliteUrl(join(dataDir, 'search', `${service}.db`));
      const search = await openSearchIndex(service, { fileUrl, clock, ...options });
      opened.push(search);
      return search;
    },
    openAuditLog: async (service) =>
      gatedAuditLog(keep(service, await openAuditLog(urlOf(service), { onLost })), gate),
    openViewing: async () =>
      gatedViewing(keep('viewing', await openViewing(urlOf('viewing'), { onLost })), gate),
    async snapshot(options) {
      let takenAtMs = clock.nowMs();
      const closeGate = (): void => {
        gate.close();
        takenAtMs = clock.nowMs();
      };
      try {
        await copyAll(services, options, closeGate);
      } finally {
        gate.open();
      }
      return takenAtMs;
    },
    component: endedBy(lost.promise),
    async close() {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      await data.close();
    },
  };
}

/** Ends the process with an error that comes before or while it runs. */
function endedBy(failure: Promise<CodedError>): Component {
  return {
    name: 'stores',
    start: ({ crash }) => {
      void failure.then(crash);
    },
  };
}

/** Copies all at once; `onMet` is called when each has but its end left to copy. */
async function copyAll(
  services: ReadonlyMap<string, Pick<Records, 'copyTo'>>,
  { directory, onProgress, signal }: SnapshotOptions,
  onMet: () => void,
): Promise<void> {
  const meeting = createMeeting(services.size, onMet);
  const fractions = new Map<string, number>();
  const copies = [...services].map(async ([service, records]) => {
    try {
      await records.copyTo(join(directory, `${service}.db`), {
        beforeEnd: () => meeting.arrive(),
        onProgress: (fraction) => {
          signal.throwIfAborted();
          fractions.set(service, fraction);
          onProgress([...fractions.values()].reduce((sum, one) => sum + one, 0) / services.size);
        },
      });
    } catch (error) {
      // The others would wait for this one.
      meeting.fail(error);
      throw error;
    }
  });
  // All have ended when this does: their files can be removed.
  for (const copy of await Promise.allSettled(copies)) if (copy.status === 'rejected') throw copy.reason;
}

function sqliteUrl(path: string): string {
  return pathToFileURL(path).href.replace(/^file:/, 'sqlite:');
}

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openEvents } from '../common/adapters/events/open.ts';
import type { Events } from '../common/adapters/events/port.ts';
import { openAuditLog } from '../common/adapters/audit-log/open.ts';
import type { AuditLog } from '../common/adapters/audit-log/port.ts';
import { openBooks, openGrouped, openRecords } from '../common/adapters/records/open.ts';
import type { Books, Records } from '../common/adapters/records/port.ts';
import { openSearch } from '../common/adapters/search/open.ts';
import type { Search } from '../common/adapters/search/port.ts';
import { openViewing } from '../common/adapters/viewing/open.ts';
import type { Viewing } from '../common/adapters/viewing/port.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
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
  open(service: string): Promise<Records>;
  /** For many small commits that nobody reads before they are answered: none of them holds the process while the disk takes it. */
  openGrouped(service: string): Promise<Records>;
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
  const urlOf = (service: string) => sqliteUrl(join(config.dataDir, 'records', `${service}.db`));
  const keep = (service: string, records: Records): Records => {
    opened.push(records);
    services.set(service, records);
    return gatedRecords(records, gate);
  };
  return {
    open: async (service) => keep(service, await openRecords(urlOf(service))),
    openGrouped: async (service) => keep(service, await openGrouped(urlOf(service))),
    async openBooks(service) {
      const books = await openBooks(urlOf(service));
      opened.push(books);
      services.set(service, books);
      return gatedBooks(books, gate);
    },
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
      const search = await openSearch(sqliteUrl(join(config.dataDir, 'search', `${service}.db`)));
      opened.push(search);
      return search;
    },
    async openAuditLog(service) {
      const auditLog = await openAuditLog(urlOf(service));
      opened.push(auditLog);
      services.set(service, auditLog);
      return gatedAuditLog(auditLog, gate);
    },
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
    async openViewing() {
      const viewing = await openViewing(sqliteUrl(join(config.dataDir, 'records', 'viewing.db')));
      opened.push(viewing);
      services.set('viewing', viewing);
      return gatedViewing(viewing, gate);
    },
    async close() {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      await data.close();
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

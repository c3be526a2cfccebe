import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openEvents } from '../common/adapters/events/open.ts';
import type { Events } from '../common/adapters/events/port.ts';
import { openLedger } from '../common/adapters/ledger/open.ts';
import type { Ledger } from '../common/adapters/ledger/port.ts';
import { openRecords } from '../common/adapters/records/open.ts';
import type { Records } from '../common/adapters/records/port.ts';
import { openSearch } from '../common/adapters/search/open.ts';
import type { Search } from '../common/adapters/search/port.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
import type { Log } from '../common/runtime/log.ts';
import type { ControlPlaneConfig } from './config.ts';

/** The records of the services and the event log, in the data directory. */
export interface Stores {
  open(service: string): Promise<Records>;
  openEvents(): Promise<Events>;
  openSearch(service: string): Promise<Search>;
  openLedger(service: string): Promise<Ledger>;
  close(): Promise<void>;
}

/** Opens the data directory for this process alone; in it one SQLite file per service (ADR 11), all closed at the end. */
export async function openStores({ config, log }: { config: ControlPlaneConfig; log: Log }): Promise<Stores> {
  const data = await openDataDir({ path: config.dataDir, kind: 'control-plane', formatVersion: 1 });
  const opened: { close(): Promise<void> }[] = [];
  return {
    async open(service) {
      const records = await openRecords(sqliteUrl(join(config.dataDir, 'records', `${service}.db`)));
      opened.push(records);
      return records;
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
    async openLedger(service) {
      const ledger = await openLedger(sqliteUrl(join(config.dataDir, 'records', `${service}.db`)));
      opened.push(ledger);
      return ledger;
    },
    async close() {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      await data.close();
    },
  };
}

function sqliteUrl(path: string): string {
  return pathToFileURL(path).href.replace(/^file:/, 'sqlite:');
}

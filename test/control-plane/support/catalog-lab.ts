import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openDirectoryBlobs } from '../../../common/adapters/blobs/directory.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { openSqliteRecords } from '../../../common/adapters/records/sqlite.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { createHttpServer } from '../../../common/runtime/http-server.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import {
  catalogDefaults,
  type CatalogOptions,
  type Fleet,
} from '../../../control-plane/services/catalog/ports.ts';
import { catalogRoutes } from '../../../control-plane/services/catalog/routes.ts';
import { createCatalog, type Catalog } from '../../../control-plane/services/catalog/service.ts';
import { fakeVerifiers } from './fake-credentials.ts';

/** What a test may say about the fleet while it runs. */
export type FakeFleet = { -readonly [K in keyof Fleet]: Fleet[K] };

export interface CatalogLab {
  directory: string;
  blobs: Blobs;
  records: Records;
  catalog: Catalog;
  fleet: FakeFleet;
  url: string;
  /** Ends server and catalog as a process that stops does, leaving the directory. */
  close(): Promise<void>;
}

export interface CatalogLabOptions {
  directory?: string;
  clock?: Clock;
  options?: Partial<CatalogOptions>;
  /** Does not start what runs beside requests. */
  still?: boolean;
}

/** A catalog over a real database, real blobs and real HTTP, in a directory of its own; gone when the test ends. */
export async function openCatalogLab(t: Test, given: CatalogLabOptions = {}): Promise<CatalogLab> {
  const directory = given.directory ?? (await mkdtemp(join(tmpdir(), 'nearcast-catalog-')));
  const lab = await startCatalogLab(directory, given);
  t.teardown(async () => {
    await lab.close();
    if (given.directory === undefined) await rm(directory, { recursive: true, force: true });
  });
  return lab;
}

/** The same without a test around it. */
export async function startCatalogLab(
  directory: string,
  given: Omit<CatalogLabOptions, 'directory'> = {},
): Promise<CatalogLab> {
  const records = await openSqliteRecords(join(directory, 'catalog.db'));
  const blobs = await openDirectoryBlobs(join(directory, 'blobs'));
  const fleet: FakeFleet = {
    holdersOf: () => [{ id: 'origin', role: 'origin', cluster: 'origin' }],
    clustersWanting: () => [],
    filledShare: () => 0,
    appliancesExist: () => false,
    mapReached: async () => ({ steering: 0, behind: 0 }),
  };
  const log = createSilentLog();
  const catalog = await createCatalog({
    records,
    blobs,
    fleet,
    log,
    clock: given.clock ?? createSystemClock(),
    chance: createSystemChance(),
    popularityOf: () => 0,
    options: { ...catalogDefaults, uploadsDir: join(directory, 'uploads'), ...given.options },
  });
  const server = await createHttpServer({
    name: 'lab',
    version: '0.0.0',
    log,
    metrics: createMetrics({ name: 'lab', version: '0.0.0' }),
    credentials: fakeVerifiers,
  });
  catalogRoutes(server.app, {
    ...{ catalog, draining: server.draining },
    rights: { of: async () => ({ maturityMax: 18 }) },
    links: () => () => [],
    revoke: async () => undefined,
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const stopping = new AbortController();
  if (given.still !== true) catalog.start(stopping.signal);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= (async () => {
      stopping.abort();
      await server.stop();
      await catalog.stop();
      await records.close();
    })());
  return { directory, blobs, records, catalog, fleet, url, close };
}

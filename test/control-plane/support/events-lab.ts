import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Test } from 'tap';
import { openBlobs } from '../../../common/adapters/blobs/open.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import { openEventLog } from '../../../common/adapters/events/log.ts';
import type { Events, EventsOptions as LogOptions } from '../../../common/adapters/events/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { openSqliteRecords } from '../../../common/adapters/records/sqlite.ts';
import type { ServedReportReply } from '../../../common/contract/served.ts';
import { createHttpServer } from '../../../common/runtime/http-server.ts';
import { generateKey, type SigningKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock, type ManualClock } from '../../../common/runtime/manual-clock.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import type { TicketedRow } from '../../../control-plane/core/ticketed-row.ts';
import {
  eventsDefaults,
  type EventsOptions,
  type ServedNodes,
} from '../../../control-plane/services/events/ports.ts';
import type { Popularity } from '../../../control-plane/services/events/popularity.ts';
import { eventsRoutes, servedRoutes } from '../../../control-plane/services/events/routes.ts';
import type { EventsService } from '../../../control-plane/services/events/service.ts';
import { signServedReport, type ServedReportParts } from '../../support/served-report.ts';
import { openWholeEvents } from '../../support/whole-events.ts';
import { fakeVerifiers } from './fake-credentials.ts';
import { fileNamed } from './sample-bundle.ts';

/** The events service over a real log, real records and real HTTP. */
export interface EventsLab {
  directory: string;
  clock: ManualClock;
  events: Events;
  records: Records;
  service: EventsService;
  popularity: Popularity;
  /** Brings everything in the log into what is learned. */
  flush(): Promise<void>;
  /** What the service has told of sessions. */
  reported: { session: string; hasEnded: boolean }[];
  url: string;
  close(): Promise<void>;
}

/** Keys of the boxes that report. */
export const boxKeys = { 'isp-a-1': generateKey(), 'isp-b-1': generateKey(), origin: generateKey() };
export type Box = keyof typeof boxKeys;

const nodes: ServedNodes & { isNode(id: string): boolean } = {
  findNode: (kid) => {
    const found = Object.entries(boxKeys).find(([, key]) => key.kid === kid);
    return found && { nodeId: found[0], publicKey: found[1].publicKey, revoked: false };
  },
  isNode: (nodeId) => Object.hasOwn(boxKeys, nodeId),
  siteOf: (nodeId) =>
    nodeId === 'origin' || !Object.hasOwn(boxKeys, nodeId) ? undefined : nodeId.replace(/-\d+$/, ''),
};

export interface LabOptions {
  directory?: string;
  clock?: ManualClock;
  options?: Partial<EventsOptions>;
  log?: LogOptions;
  wrap?: (stores: { events: Events; records: Records }) => { events: Events; records: Records };
  wrapBlobs?: (blobs: Blobs) => Blobs;
  still?: boolean;
  /** The site of all viewers, where a route tells. */
  viewersSite?: string;
  /** Rows by their tickets. */
  tickets?: Readonly<Record<string, TicketedRow>>;
}

/** Opens a lab that goes with the test; `directory` keeps what it holds for another one. */
export async function openLab(t: Test, given: LabOptions = {}): Promise<EventsLab> {
  const directory = given.directory ?? (await mkdtemp(join(tmpdir(), 'nearcast-events-')));
  const clock = given.clock ?? createManualClock();
  const opened = {
    events: await openEventLog(join(directory, 'events'), given.log),
    records: await openSqliteRecords(join(directory, 'events.db')),
  };
  const stored = await openBlobs(pathToFileURL(join(directory, 'blobs')).href);
  const blobs = given.wrapBlobs?.(stored) ?? stored;
  const { events, records } = given.wrap?.(opened) ?? opened;
  const log = createSilentLog();
  const options = { ...eventsDefaults, ...given.options };
  const reported: EventsLab['reported'] = [];
  const whole = await openWholeEvents({
    ...{ events, records, blobs, nodes, clock, log, options },
    reported: (report) => {
      reported.push(report);
    },
    readTickets: async (tickets) => tickets.map((ticket) => given.tickets?.[ticket]),
  });
  const server = await createHttpServer({
    name: 'lab',
    version: '0.0.0',
    log,
    metrics: createMetrics({ name: 'lab', version: '0.0.0' }),
    credentials: fakeVerifiers,
    cors: ['*'],
  });
  const { service, popularity } = whole;
  eventsRoutes(server.app, {
    events: service,
    siteOf: async () => given.viewersSite,
    titleNames: async () => new Map([[fileNamed('bundle'), 'A film']]),
  });
  servedRoutes(server.app, {
    popularity,
    heldAt: (site) => (site.startsWith('isp-') ? 1000 : undefined),
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  if (given.still !== true) whole.start();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= (async () => {
      await server.stop();
      await whole.stop().catch(() => undefined);
      await opened.events.close();
      await opened.records.close();
    })());
  t.teardown(async () => {
    await close();
    if (given.directory === undefined) await rm(directory, { recursive: true, force: true });
  });
  const { flush } = whole;
  return { directory, clock, events, records, service, popularity, flush, reported, url, close };
}

/** A box that tells what it has served; signed by its own key unless another is given. */
export function boxOf(lab: EventsLab, box: Box) {
  return {
    async serve(
      sequence: number,
      played: Readonly<Record<string, number>>,
      {
        by = boxKeys[box],
        ...more
      }: { by?: SigningKey } & Pick<ServedReportParts, 'pictures' | 'filledBytes' | 'audience'> = {},
    ): Promise<ServedReportReply> {
      const jws = await signServedReport(by, { sequence, played, nowMs: lab.clock.nowMs(), ...more });
      return lab.popularity.takeServed(box, jws);
    },
  };
}

export const film = fileNamed('film.mp4');
export const sound = fileNamed('sound.m4a');
/** A bundle of both. */
export const bundle = {
  files: [
    { file: film, sizeBytes: 1000 },
    { file: sound, sizeBytes: 1000 },
  ],
};

import type { FastifyRequest } from 'fastify';

import { EventLogView } from '../../../common/contract/event-log-view.ts';
import { EventBatch, EventBatchReply, type EventBatch as Batch } from '../../../common/contract/playback.ts';
import { NodeId } from '../../../common/contract/primitives.ts';
import { QoeQuery, QoeReport } from '../../../common/contract/qoe.ts';
import { RowsReport, RowsReportQuery } from '../../../common/contract/rows-report.ts';
import { SavingsQuery, SavingsReport } from '../../../common/contract/savings.ts';
import { ServedReportReply, ServedReportRequest } from '../../../common/contract/served.ts';
import { Type } from '../../../common/contract/type.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { addressKey } from '../../../common/runtime/http-rates.ts';
import { siteAsked } from '../own-sites.ts';
import { clientOf } from '../viewer-rights.ts';
import { deviceOf } from './core/device.ts';
import type { Reporter } from './intake.ts';
import type { Popularity } from './popularity.ts';
import type { NamesOf } from './qoe-consumer.ts';
import type { EventsService } from './service.ts';

// A player sends a batch every few seconds; an address may be a household's or a carrier's.
const rateLimit = { max: 300, timeWindow: 1000 };
const servedBytesMax = 2 * 1024 * 1024;

const cmcdType = 'application/cmcd';

/** What the routes of players' reports need of the others. */
export interface EventsRoutesOptions {
  events: EventsService;
  /** The site where an address is; undefined where no route tells. */
  siteOf: (address: string) => Promise<string | undefined>;
  /** What titles are called, by their bundles. */
  titleNames: NamesOf;
}

/** The routes of what players report. */
export function eventsRoutes(app: App, options: EventsRoutesOptions): void {
  playerRoutes(app, options);
  logRoutes(app, options);
  reportRoutes(app, options);
}

/** What the routes of nodes' reports need of the others. */
export interface ServedRoutesOptions {
  popularity: Pick<Popularity, 'takeServed' | 'savings'>;
  /** How many bytes the boxes of a site hold; undefined for a site without boxes. */
  heldAt: (site: string) => number | undefined;
}

/** The routes of what nodes report. */
export function servedRoutes(app: App, options: ServedRoutesOptions): void {
  nodeRoutes(app, options);
  savingsRoute(app, options);
}

function playerRoutes(app: App, { events, siteOf }: EventsRoutesOptions): void {
  // In a scope of its own: only here is a body CMCD.
  void app.register((scope: App, _options, done) => {
    scope.addContentTypeParser(cmcdType, { parseAs: 'string' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    const take = async (request: FastifyRequest) => {
      const reporter = await reporterOf(request, siteOf);
      const { body } = request;
      if (typeof body === 'string') return events.takeCmcd(body, reporter);
      // Without a content-type nobody has held the body against the schema.
      if (typeof body !== 'object' || body === null || !('events' in body))
        throw coded('INVALID', `the body is neither a batch of events nor ${cmcdType}`);
      return events.take((body as Batch).events, reporter);
    };
    const schema = {
      tags: ['playback'],
      summary:
        'Report what happened in a playback or was seen of rows, as JSON or in CMCD’s event mode; a repeated batch does no harm',
      body: {
        content: { 'application/json': { schema: EventBatch }, [cmcdType]: { schema: Type.String() } },
      },
      response: { 200: EventBatchReply },
    };
    // What a player tells of its playing changes nothing.
    const config = { rateLimit, audit: false } as const;
    const credential = ['viewer', 'operator', 'delivery:play'] as const;
    scope.post('/v1/events', { config: { ...config, credential }, schema }, take);
    // For players that are told where to report, but not with which header.
    scope.post(
      '/v1/events/:token',
      {
        config: { ...config, credential: ['delivery:play'] },
        schema: { ...schema, params: Type.Object({ token: Type.String() }) },
      },
      take,
    );
    done();
  });
}

function reportRoutes(app: App, { events, titleNames }: EventsRoutesOptions): void {
  app.get(
    '/v1/reports/qoe',
    {
      config: { credential: ['operator'] },
      schema: {
        tags: ['reports'],
        summary: 'How playing went: starts, stalls, bitrate and failures by site, appliance, device or title',
        querystring: QoeQuery,
        response: { 200: QoeReport },
      },
    },
    async ({ query: { by = 'site', days = 7 } }) =>
      events.qoe({ by, days }, by === 'title' ? titleNames : async () => new Map<string, string>()),
  );
  app.get(
    '/v1/reports/rows',
    {
      config: { credential: ['operator'] },
      schema: {
        tags: ['reports'],
        summary: 'What viewers were shown in rows and what they chose, by kind of row, place or model',
        querystring: RowsReportQuery,
        response: { 200: RowsReport },
      },
    },
    async ({ query: { by = 'row', days = 7 } }) => events.rows({ by, days }),
  );
}

function savingsRoute(app: App, { popularity, heldAt }: ServedRoutesOptions): void {
  app.get(
    '/v1/reports/savings',
    {
      config: { credential: ['operator', 'partner'] },
      schema: {
        tags: ['reports'],
        summary:
          'What the boxes of a site have spared the network above them, by the reports that they signed',
        querystring: SavingsQuery,
        response: { 200: SavingsReport },
      },
    },
    async ({ caller, query: { days = 7, ...query } }) => {
      const site = siteAsked(caller, query.site);
      if (site === undefined) throw coded('INVALID', 'site: name one');
      const heldBytes = heldAt(site);
      if (heldBytes === undefined) throw coded('NOT_FOUND', `no box is at ${site}`);
      return popularity.savings({ site, days, heldBytes });
    },
  );
}

function logRoutes(app: App, { events }: EventsRoutesOptions): void {
  const config = { credential: ['operator', 'admin'] as const };
  app.get(
    '/v1/events/log',
    {
      config,
      schema: {
        tags: ['reports'],
        summary: 'What the event log holds, who has read how far, and what of it stands in Parquet files',
        response: { 200: EventLogView },
      },
    },
    async () => events.log(),
  );
  app.post(
    '/v1/events/exports',
    {
      config,
      schema: {
        tags: ['reports'],
        summary: 'Write what is in the event log, and not exported yet, into Parquet files',
        response: { 202: EventLogView },
      },
    },
    async (_request, reply) => reply.code(202).send(await events.export()),
  );
}

function nodeRoutes(app: App, { popularity }: ServedRoutesOptions): void {
  app.post(
    '/v1/nodes/:id/served-reports',
    {
      config: { credential: ['node:appliance', 'node:origin'], self: 'id' },
      bodyLimit: servedBytesMax,
      schema: {
        tags: ['nodes'],
        summary: 'What a box has served since its last report, signed by it; a repeat changes nothing',
        params: Type.Object({ id: NodeId }),
        body: ServedReportRequest,
        response: { 200: ServedReportReply },
      },
    },
    async ({ params, body }) => popularity.takeServed(params.id, body.jws),
  );
}

async function reporterOf(request: FastifyRequest, siteOf: EventsRoutesOptions['siteOf']): Promise<Reporter> {
  const { caller, headers } = request;
  const at = {
    ...{ device: deviceOf(headers['user-agent']), site: await siteOf(clientOf(request)) },
    network: addressKey(request),
  };
  if (caller.kind === 'delivery') {
    const { session, bundle, issuedAtS, expiresAtS } = caller.claims;
    return { client: `session ${session}`, session: { session, bundle, issuedAtS, expiresAtS }, ...at };
  }
  return { client: caller.kind === 'access' ? `account ${caller.sub}` : 'others', ...at };
}

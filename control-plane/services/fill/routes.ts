import { Type } from '../../../common/contract/type.ts';
import {
  FillExplainView,
  FillPlanView,
  FillReport,
  FillReportView,
  FillSourcesReply,
  FillSourcesRequest,
} from '../../../common/contract/fill.ts';
import { FillPartnerPatch, FillSitePatch, FillSites } from '../../../common/contract/fill-sites.ts';
import { FileName, NodeId, PlaceName, TimeMs } from '../../../common/contract/primitives.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { siteAsked } from '../own-sites.ts';
import { answerPoll, signedAnswers, SignedPollQuery, type SignedPoll } from '../signed-poll.ts';
import type { Fill } from './service.ts';

const ManifestQuery = Type.Object(
  {
    ...SignedPollQuery.properties,
    /** Whether it may come as its difference from `after`. */
    diff: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
const NodeParams = Type.Object({ id: NodeId });
const SiteQuery = Type.Object({ site: Type.Optional(PlaceName) }, { additionalProperties: false });
const ReportQuery = Type.Object(
  {
    sinceMs: Type.Optional(TimeMs),
    untilMs: Type.Optional(TimeMs),
    /** A date, in the place of times: from 18:00 of the day before to 18:00, by the clocks of the site. */
    night: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })),
    appliance: Type.Optional(NodeId),
    site: Type.Optional(PlaceName),
  },
  { additionalProperties: false },
);
const ExplainQuery = Type.Object({ appliance: NodeId, file: FileName }, { additionalProperties: false });
// A report is stored as one record, of which the largest is 1 MiB.
const reportBytesMax = 900 * 1024;

export interface FillRoutesOptions {
  fill: Fill;
  /** Aborted when draining begins: long polls end with it. */
  draining: AbortSignal;
}

/** Routes of fill: manifests, sources and reports for appliances; plan and report for people. */
export function fillRoutes(app: App, options: FillRoutesOptions): void {
  manifestRoute(app, options);
  nodeRoutes(app, options);
  viewRoutes(app, options);
  siteRoutes(app, options);
}

function manifestRoute(app: App, { fill, draining }: FillRoutesOptions): void {
  app.get(
    '/v1/nodes/:id/fill-manifest',
    {
      config: { credential: ['node:appliance', 'node:origin'], self: 'id' },
      schema: {
        summary:
          'The signed fill manifest, once there is one newer than `after` (a long poll; 204 when there is none); with `diff` maybe as its difference from that one',
        tags: ['fill'],
        params: NodeParams,
        querystring: ManifestQuery,
        response: signedAnswers,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { diff = false } = request.query;
      const poll = (want: SignedPoll) => fill.manifest(id, { ...want, diff });
      return answerPoll({ request, reply }, request.query, { draining, poll });
    },
  );
}

function nodeRoutes(app: App, { fill }: FillRoutesOptions): void {
  app.post(
    '/v1/nodes/:id/fill-sources',
    {
      config: { credential: ['node:appliance'], self: 'id' },
      schema: {
        summary:
          'Where files of the manifest may be filled from, in the order of escalation; to pull, where any file is',
        tags: ['fill'],
        params: NodeParams,
        body: FillSourcesRequest,
        response: { 200: FillSourcesReply },
      },
    },
    async (request) => {
      const { files, purpose = 'fill' } = request.body;
      return fill.sources(request.params.id, files, purpose);
    },
  );
  app.post(
    '/v1/nodes/:id/fill-reports',
    {
      config: { credential: ['node:appliance'], self: 'id' },
      bodyLimit: reportBytesMax,
      schema: {
        summary: 'How files ended; a repeat with the same id changes nothing',
        tags: ['fill'],
        params: NodeParams,
        body: FillReport,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await fill.report(request.params.id, request.body);
      return reply.code(204).send(null);
    },
  );
}

function viewRoutes(app: App, { fill }: FillRoutesOptions): void {
  const viewers = ['operator', 'admin'] as const;
  app.get(
    '/v1/fill/plan',
    {
      config: { credential: viewers },
      schema: {
        summary:
          'What a plan made now would change, at what cost and for what gain; nothing changes by asking',
        tags: ['fill'],
        querystring: SiteQuery,
        response: { 200: FillPlanView },
      },
    },
    (request) => fill.views.dryRun(request.query.site),
  );
  app.post(
    '/v1/fill/plan',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Plan now instead of within the minute, and say what is still to be done by it',
        tags: ['fill'],
        querystring: SiteQuery,
        response: { 200: FillPlanView },
      },
    },
    async (request) => {
      await fill.replan();
      return fill.views.plan(request.query.site);
    },
  );
  app.get(
    '/v1/fill/report',
    {
      config: { credential: [...viewers, 'partner'] },
      schema: {
        summary:
          'What the fill did, by source and over time, what is missing, why, and when it will come; the last day where no times are given',
        tags: ['fill'],
        querystring: ReportQuery,
        response: { 200: FillReportView },
      },
    },
    ({ caller, query }) => fill.views.report({ ...query, site: siteAsked(caller, query.site) }),
  );
  app.get(
    '/v1/fill/explain',
    {
      config: { credential: viewers },
      schema: {
        summary: 'Why a file, or every file of a bundle, is or is not on an appliance',
        tags: ['fill'],
        querystring: ExplainQuery,
        response: { 200: FillExplainView },
      },
    },
    (request) => fill.views.explain(request.query.appliance, request.query.file),
  );
}

function siteRoutes(app: App, { fill }: FillRoutesOptions): void {
  app.get(
    '/v1/fill/sites',
    {
      config: { credential: ['operator', 'admin'] },
      schema: {
        summary: 'When and how fast the boxes of each site fill',
        tags: ['fill'],
        response: { 200: FillSites },
      },
    },
    () => fill.views.sites(),
  );
  app.patch(
    '/v1/fill/sites/:site',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Choose when and how fast the boxes of a site fill; null goes back to the default',
        tags: ['fill'],
        params: Type.Object({ site: PlaceName }),
        body: FillSitePatch,
        response: { 200: FillSites },
      },
    },
    async (request) => {
      await fill.patchSite(request.params.site, request.body);
      return fill.views.sites();
    },
  );
  app.patch(
    '/v1/fill/partners/:partner',
    {
      config: { credential: ['operator'] },
      schema: {
        summary:
          'Choose how fast the boxes of all of a partner’s sites fill together; null takes the cap back',
        tags: ['fill'],
        params: Type.Object({ partner: PlaceName }),
        body: FillPartnerPatch,
        response: { 200: FillSites },
      },
    },
    async (request) => {
      await fill.patchPartner(request.params.partner, request.body);
      return fill.views.sites();
    },
  );
}

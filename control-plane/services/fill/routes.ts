import { Type } from '../../../common/contract/type.ts';
import {
  FillPlanView,
  FillReport,
  FillReportView,
  FillSourcesReply,
  FillSourcesRequest,
} from '../../../common/contract/fill.ts';
import { NodeId, TimeMs } from '../../../common/contract/primitives.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { requireSelf } from '../require-self.ts';
import { answerPoll, signedAnswers, SignedPollQuery, type SignedPoll } from '../signed-poll.ts';
import type { Fill } from './service.ts';

const NodeParams = Type.Object({ id: NodeId });
const ReportQuery = Type.Object(
  { sinceMs: Type.Optional(TimeMs), untilMs: Type.Optional(TimeMs) },
  { additionalProperties: false },
);
// A report is stored as one record, of which the largest is 1 MiB.
const reportBytesMax = 900 * 1024;
const dayMs = 86_400_000;

export interface FillRoutesOptions {
  fill: Fill;
  clock: Clock;
  /** Aborted when draining begins: long polls end with it. */
  draining: AbortSignal;
}

/** Routes of fill: manifests, sources and reports for appliances; plan and report for people. */
export function fillRoutes(app: App, options: FillRoutesOptions): void {
  manifestRoute(app, options);
  nodeRoutes(app, options);
  viewRoutes(app, options);
}

function manifestRoute(app: App, { fill, draining }: FillRoutesOptions): void {
  app.get(
    '/v1/nodes/:id/fill-manifest',
    {
      config: { credential: ['node:appliance', 'node:origin'] },
      schema: {
        summary:
          'The signed fill manifest, once there is one newer than `after` (a long poll; 204 when there is none)',
        tags: ['fill'],
        params: NodeParams,
        querystring: SignedPollQuery,
        response: signedAnswers,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requireSelf(request.caller, id);
      const poll = (want: SignedPoll) => fill.manifest(id, want);
      return answerPoll({ request, reply }, request.query, { draining, poll });
    },
  );
}

function nodeRoutes(app: App, { fill }: FillRoutesOptions): void {
  app.post(
    '/v1/nodes/:id/fill-sources',
    {
      config: { credential: ['node:appliance'] },
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
      requireSelf(request.caller, request.params.id);
      const { files, purpose = 'fill' } = request.body;
      return fill.sources(request.params.id, files, purpose);
    },
  );
  app.post(
    '/v1/nodes/:id/fill-reports',
    {
      config: { credential: ['node:appliance'] },
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
      requireSelf(request.caller, request.params.id);
      await fill.report(request.params.id, request.body);
      return reply.code(204).send(null);
    },
  );
}

function viewRoutes(app: App, { fill, clock }: FillRoutesOptions): void {
  app.get(
    '/v1/fill/plan',
    {
      config: { credential: ['operator', 'admin'] },
      schema: {
        summary: 'What placement would do now, and why',
        tags: ['fill'],
        response: { 200: FillPlanView },
      },
    },
    async () => fill.planView(),
  );
  app.get(
    '/v1/fill/report',
    {
      config: { credential: ['operator', 'admin'] },
      schema: {
        summary:
          'What the fill did, by source and over time, and why anything is missing; the last day where no times are given',
        tags: ['fill'],
        querystring: ReportQuery,
        response: { 200: FillReportView },
      },
    },
    async (request) => {
      const { untilMs = clock.nowMs(), sinceMs = Math.max(0, untilMs - dayMs) } = request.query;
      return fill.reportView({ sinceMs, untilMs });
    },
  );
}

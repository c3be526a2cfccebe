import type { FastifyRequest } from 'fastify';
import { Type } from '../../../common/contract/type.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import {
  EncodeComplete,
  EncodeFail,
  EncodeJob,
  EncodeLeaseRequest,
  EncodeProgress,
} from '../../../common/contract/titles.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { callerGone } from '../../../common/runtime/http-server.ts';
import type { Catalog } from './service.ts';

const credential = ['node:encoder'] as const;
const params = Type.Object({ id: ObjectId });
const nothing = Type.Null({ description: 'Nothing' });
const tags = ['encode jobs'];

/** Routes of encode jobs: for encoders. */
export function jobRoutes(
  app: App,
  { catalog: { jobs }, draining }: { catalog: Catalog; draining: AbortSignal },
): void {
  app.post(
    '/v1/encode-jobs/lease',
    {
      config: { credential },
      schema: {
        tags,
        summary: 'Lease the oldest job, waiting for one',
        body: EncodeLeaseRequest,
        response: { 200: EncodeJob, 204: nothing },
      },
    },
    async (request, reply) => {
      const signal = AbortSignal.any([draining, callerGone(request, reply)]);
      const job = await jobs.lease(workerOf(request), { ...request.body, signal });
      return job ?? (await reply.code(204).send(null));
    },
  );
  app.post(
    '/v1/encode-jobs/:id/progress',
    {
      config: { credential },
      schema: { tags, summary: 'Renew a lease', params, body: EncodeProgress, response: { 204: nothing } },
    },
    async (request, reply) => {
      jobs.progress({ jobId: request.params.id, worker: workerOf(request) }, request.body);
      return await reply.code(204).send(null);
    },
  );
  app.post(
    '/v1/encode-jobs/:id/complete',
    {
      config: { credential },
      schema: {
        tags,
        summary: 'End a job with its bundle',
        params,
        body: EncodeComplete,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await jobs.complete({ jobId: request.params.id, worker: workerOf(request) }, request.body);
      return await reply.code(204).send(null);
    },
  );
  app.post(
    '/v1/encode-jobs/:id/fail',
    {
      config: { credential },
      schema: { tags, summary: 'End an attempt', params, body: EncodeFail, response: { 204: nothing } },
    },
    async (request, reply) => {
      await jobs.fail({ jobId: request.params.id, worker: workerOf(request) }, request.body);
      return await reply.code(204).send(null);
    },
  );
}

function workerOf({ caller }: FastifyRequest): string {
  assert(caller.kind === 'node', 'the route takes encoders only');
  return caller.nodeId;
}

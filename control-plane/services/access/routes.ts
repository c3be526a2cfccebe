import {
  AccessTokenReply,
  AccessTokenRequest,
  EnrolmentCodeReply,
  EnrolmentCodeRequest,
  EnrolReply,
  EnrolRequest,
} from '../../../common/contract/credentials.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { grantWithin } from './grant.ts';
import type { Access } from './service.ts';

// Guessing a secret of 24 bytes is hopeless; the limit keeps the tries from costing anything.
const enrolRate = { max: 30, timeWindow: 10_000 };

/** Routes of enrolment, access tokens and the keyset. */
export function accessRoutes(app: App, { access }: { access: Access }): void {
  app.post(
    '/v1/enrolment-codes',
    {
      config: { credential: ['operator'], audit: { values: ['role', 'name', 'site', 'cluster'] } },
      schema: {
        summary: 'Makes a single-use code with which one node may join within 24 h',
        tags: ['enrolment'],
        body: EnrolmentCodeRequest,
        response: { 201: EnrolmentCodeReply },
      },
    },
    async (request, reply) => reply.code(201).send(await access.enrolment.createCode(request.body)),
  );
  app.post(
    '/v1/enrol',
    {
      config: { credential: ['none'], rateLimit: enrolRate },
      schema: {
        summary: 'Enrols the holder of a code and of a key of its own making',
        tags: ['enrolment'],
        body: EnrolRequest,
        response: { 200: EnrolReply },
      },
    },
    async (request) => access.enrolment.enrol(request.body),
  );
  app.get(
    '/v1/keyset',
    {
      config: { credential: ['none'] },
      schema: {
        summary: 'The signed keyset in force (a compact JWS by the root key)',
        tags: ['enrolment'],
        response: { 200: Type.String() },
      },
    },
    async (_request, reply) => {
      const { jws, sequence } = access.keys.keyset();
      return reply.type('application/jose').header('x-sequence', String(sequence)).send(jws);
    },
  );
  app.post(
    '/v1/access-tokens',
    {
      config: { credential: ['operator'], audit: { values: ['role', 'sub', 'ttlS', 'scope'] } },
      schema: {
        summary: 'Makes an access token for a person or a service, that may do no more than the caller',
        tags: ['enrolment'],
        body: AccessTokenRequest,
        response: { 201: AccessTokenReply },
      },
    },
    async ({ body, caller }, reply) => {
      const grant = grantWithin(caller, body);
      return reply.code(201).send(await access.createAccessToken({ ...grant, ttlS: body.ttlS }));
    },
  );
}

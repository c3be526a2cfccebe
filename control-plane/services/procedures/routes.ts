import type { FastifyRequest } from 'fastify';
import { ObjectId } from '../../../common/contract/primitives.ts';
import {
  PaidPlanChangeReply,
  PaidPlanChangeRequest,
  SignUpReply,
  SignUpRequest,
} from '../../../common/contract/procedures.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { beginPlanChange, paidPlanChange } from './paid-plan-change.ts';
import type { Procedures } from './durable-steps.ts';
import { beginSignUp, signUpProcedure, type SignUpPorts } from './sign-up.ts';

const headers = Type.Object({ 'idempotency-key': Type.String({ minLength: 1, maxLength: 200 }) });

function askOf(request: FastifyRequest, about: unknown) {
  const { caller } = request;
  assert(caller.kind === 'access', 'the route takes access tokens only');
  return { caller: caller.sub, key: String(request.headers['idempotency-key']), request: about };
}

/** Routes of what takes several services, and is done whole or not at all. */
export function procedureRoutes(
  app: App,
  { procedures, ports }: { procedures: Procedures; ports: SignUpPorts },
): void {
  app.post(
    '/v1/sign-ups',
    {
      config: { credential: ['admin'], audit: { values: ['plan', 'currency', 'coupon'] } },
      schema: {
        summary:
          'Signs a household up: account, profile and subscription, all of it or nothing, once for its key',
        tags: ['billing'],
        headers,
        body: SignUpRequest,
        response: { 201: SignUpReply },
      },
    },
    async (request, reply) => {
      // The password is no part of what a key is known by: no hash of it alone may be kept.
      const { password: _secret, ...about } = request.body;
      const done = await procedures.run(askOf(request, ['sign-up', about]), signUpProcedure(ports), () =>
        beginSignUp(request.body, ports.accounts),
      );
      // As the procedure answers.
      return await reply.code(201).send(done as Static<typeof SignUpReply>);
    },
  );
  app.post(
    '/v1/subscriptions/:id/paid-plan',
    {
      config: { credential: ['operator'], audit: { values: ['plan', 'unit'] } },
      schema: {
        summary:
          'Another plan at once if what it costs now can be taken by the payment provider; else nothing changes',
        tags: ['billing'],
        headers,
        params: Type.Object({ id: ObjectId }),
        body: PaidPlanChangeRequest,
        response: { 200: PaidPlanChangeReply },
      },
    },
    async (request) => {
      const { params, body } = request;
      const done = await procedures.run(
        askOf(request, ['paid-plan', params.id, body]),
        paidPlanChange(ports.billing),
        () => beginPlanChange(params.id, body, ports.billing),
      );
      return done as Static<typeof PaidPlanChangeReply>;
    },
  );
}

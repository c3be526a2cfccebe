import type { FastifyRequest } from 'fastify';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type, type Static, type TSchema } from '../../../common/contract/type.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Batch } from './batch.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const params = Type.Object({ id: ObjectId });
/** A body or an answer with nothing in it. */
export const nothing = Type.Object({}, { additionalProperties: false });
/** How many a page of a list has. */
export const Limit = Type.Integer({ default: 100, minimum: 1, maximum: 1000 });
/** https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ */
const headers = Type.Object({ 'idempotency-key': Type.String({ minLength: 1, maxLength: 200 }) });

/** What the audit log says of a request; what people wrote may name somebody. */
const audited = ['account', 'plan', 'currency', 'unit', 'coupon', 'when', 'invoice', 'amount'];

interface MoneyRoute<Body extends TSchema, Reply extends TSchema> {
  readonly url: string;
  readonly summary: string;
  readonly body: Body;
  readonly reply: Reply;
  /** The id in the path is of a subscription. */
  readonly ofSubscription?: true;
  readonly decide: (batch: Batch, body: Static<Body>, id: string) => Promise<Static<Reply> & object>;
}

/** Adds a route that moves money, once for its Idempotency-Key. */
export function moneyRoute<Body extends TSchema, Reply extends TSchema>(
  app: App,
  billing: Billing,
  { url, summary, body, reply, ofSubscription, decide }: MoneyRoute<Body, Reply>,
): void {
  const hasId = url.includes(':id');
  app.post(
    url,
    {
      config: { credential: ['operator'], audit: { values: audited } },
      schema: {
        ...{ summary, tags, headers, body, response: { 200: reply } },
        ...(hasId && { params }),
      },
    },
    async (request: FastifyRequest) => {
      const { caller } = request;
      assert(caller.kind === 'access', 'the route takes access tokens only');
      const { id = '' } = request.params as { id?: string };
      // Fastify has checked both against their schemas.
      const given = request.body as Static<Body>;
      const key = String(request.headers['idempotency-key']);
      const ask = { caller: caller.sub, key, request: [request.method, url, id, given] };
      return billing.once({ ...ask, ...(ofSubscription && { subscription: id }) }, (batch) =>
        decide(batch, given, id),
      );
    },
  );
}

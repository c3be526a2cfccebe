import type { FastifyRequest } from 'fastify';
import {
  CollectionList,
  CollectionView,
  PaymentMethodPage,
  PaymentMethodRequest,
  PaymentMethodView,
} from '../../../common/contract/billing.ts';
import { DisputeList } from '../../../common/contract/disputes.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { Limit, moneyRoute, nothing } from './money-route.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;
const noticeRate = { max: 200, timeWindow: 1000 };
const noticeBytesMax = 1024 * 1024;

/** Routes of what a provider pays: how a person pays, what is being collected, and what the provider tells. */
export function providerRoutes(app: App, billing: Billing): void {
  methodRoutes(app, billing);
  collectionRoutes(app, billing);
  disputeRoute(app, billing);
  // In a scope of its own: what is signed is the body as it came, so nothing parses it before.
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    noticeRoute(scope, billing);
    done();
  });
}

/** Whose: the caller's own, or where an operator asks, another. */
function accountOf({ caller }: FastifyRequest, wanted: string | undefined): string {
  assert(caller.kind === 'access', 'the route takes access tokens only');
  if (wanted !== undefined && wanted !== caller.sub && caller.role === 'viewer')
    throw coded('FORBIDDEN', 'a viewer pays for their own account only');
  return wanted ?? caller.sub;
}

function methodRoutes(app: App, { payers }: Billing): void {
  app.post(
    '/v1/payment-methods',
    {
      config: { credential: [...operators, 'viewer'] },
      schema: {
        summary: 'A page of the payment provider on which a person says how to pay; `account` for operators',
        tags,
        body: PaymentMethodRequest,
        response: { 200: PaymentMethodPage },
      },
    },
    async (request) => {
      const { account, returnUrl } = request.body;
      return { url: await payers.page(accountOf(request, account), returnUrl) };
    },
  );
  app.get(
    '/v1/payment-methods',
    {
      config: { credential: [...operators, 'viewer'] },
      schema: {
        summary: 'Whether invoices of an account are paid by themselves',
        tags,
        querystring: Type.Object({ account: Type.Optional(ObjectId) }, { additionalProperties: false }),
        response: { 200: PaymentMethodView },
      },
    },
    (request) => payers.view(accountOf(request, request.query.account)),
  );
}

function collectionRoutes(app: App, billing: Billing): void {
  const { collecting } = billing;
  app.get(
    '/v1/collections',
    {
      config: { credential: operators },
      schema: {
        summary: 'Invoices that the payment provider collects, and how it gets on, by id',
        tags,
        querystring: Type.Object(
          { after: Type.Optional(ObjectId), limit: Limit },
          { additionalProperties: false },
        ),
        response: { 200: CollectionList },
      },
    },
    async ({ query }) => {
      const page = await collecting.list(query);
      const last = page.at(-1);
      return { collections: page, ...(page.length === query.limit && last && { next: last.invoice }) };
    },
  );
  moneyRoute(app, billing, {
    url: '/v1/collections/:id/retry',
    summary: 'Tries at once to have an invoice paid by the provider',
    ...{ body: nothing, reply: CollectionView },
    decide: (batch, _body, id) => collecting.retry(batch, id),
  });
}

function disputeRoute(app: App, { disputes }: Billing): void {
  app.get(
    '/v1/payments/disputes',
    {
      config: { credential: operators },
      schema: {
        summary:
          'Disputed payments by the id of the dispute; beside the first page those that wait for their payment',
        tags,
        querystring: Type.Object(
          { after: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })), limit: Limit },
          { additionalProperties: false },
        ),
        response: { 200: DisputeList },
      },
    },
    async ({ query }) => {
      const page = await disputes.list(query);
      const last = page.at(-1);
      return {
        disputes: page,
        waiting: query.after === undefined ? await disputes.waiting() : [],
        ...(page.length === query.limit && last && { next: last.dispute }),
      };
    },
  );
}

function noticeRoute(app: App, { notices }: Billing): void {
  app.post(
    '/v1/provider-notices/stripe',
    {
      // Its signature is the credential. What it tells is in the books.
      config: { credential: ['none'], rateLimit: noticeRate, audit: false },
      bodyLimit: noticeBytesMax,
      schema: {
        summary: 'What Stripe tells of payments, signed by it; the same event again changes nothing',
        tags,
        headers: Type.Object({ 'stripe-signature': Type.String({ maxLength: 4096 }) }),
        consumes: ['application/json'],
        response: { 200: nothing },
      },
    },
    async ({ body, headers }) => {
      if (!Buffer.isBuffer(body)) throw coded('UNSUPPORTED_MEDIA_TYPE', 'send application/json');
      await notices.take(body, headers['stripe-signature']);
      return {};
    },
  );
}

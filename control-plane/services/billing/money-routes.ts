import type { FastifyRequest } from 'fastify';
import {
  CancelRequest,
  CreditNotePaper,
  CreditNoteRequest,
  InvoiceList,
  InvoiceView,
  PaymentList,
  PaymentRequest,
  PaymentView,
  PlanChangeRequest,
  RefundRequest,
  SubscriptionList,
  SubscriptionRequest,
  SubscriptionView,
} from '../../../common/contract/billing.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type, type Static, type TSchema } from '../../../common/contract/type.ts';
import { assert } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Batch } from './batch.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;
const params = Type.Object({ id: ObjectId });
const none = Type.Object({}, { additionalProperties: false });
const Limit = Type.Integer({ default: 100, minimum: 1, maximum: 1000 });
/** https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ */
const headers = Type.Object({ 'idempotency-key': Type.String({ minLength: 1, maxLength: 200 }) });

/** What the audit log says of a request; what people wrote may name somebody. */
const audited = ['account', 'plan', 'currency', 'unit', 'coupon', 'when', 'invoice', 'amount'];

/** Routes that move money, each once for its Idempotency-Key, and those that show what was moved. */
export function moneyRoutes(app: App, billing: Billing): void {
  subscriptionReads(app, billing);
  subscriptionChanges(app, billing);
  invoiceRoutes(app, billing);
  paymentRoutes(app, billing);
}

interface MoneyRoute<Body extends TSchema, Reply extends TSchema> {
  readonly url: string;
  readonly summary: string;
  readonly body: Body;
  readonly reply: Reply;
  /** The id in the path is of a subscription. */
  readonly ofSubscription?: true;
  readonly decide: (batch: Batch, body: Static<Body>, id: string) => Promise<Static<Reply> & object>;
}

function moneyRoute<Body extends TSchema, Reply extends TSchema>(
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

function subscriptionReads(app: App, { subscriptions }: Billing): void {
  app.get(
    '/v1/subscriptions',
    {
      config: { credential: operators },
      schema: {
        summary: 'Subscriptions by id, or those of an account',
        tags,
        querystring: Type.Object(
          { account: Type.Optional(ObjectId), after: Type.Optional(ObjectId), limit: Limit },
          { additionalProperties: false },
        ),
        response: { 200: SubscriptionList },
      },
    },
    async ({ query }) => {
      const page = await subscriptions.list(query);
      const last = page.at(-1);
      return { subscriptions: page, ...(page.length === query.limit && last && { next: last.id }) };
    },
  );
  app.get(
    '/v1/subscriptions/:id',
    {
      config: { credential: operators },
      schema: { summary: 'One subscription', tags, params, response: { 200: SubscriptionView } },
    },
    ({ params: { id } }) => subscriptions.view(id),
  );
}

function subscriptionChanges(app: App, billing: Billing): void {
  const { subscriptions } = billing;
  moneyRoute(app, billing, {
    url: '/v1/subscriptions',
    summary: 'Subscribes an account: a trial where it has had none, else the first invoice',
    ...{ body: SubscriptionRequest, reply: SubscriptionView },
    decide: (batch, body) => subscriptions.add(batch, body),
  });
  const shared = { reply: SubscriptionView, ofSubscription: true } as const;
  moneyRoute(app, billing, {
    url: '/v1/subscriptions/:id/plan',
    summary:
      'Another plan or interval: at once, the unused credited and the rest charged, or with the next period',
    ...{ ...shared, body: PlanChangeRequest },
    decide: (batch, body, id) => subscriptions.changePlan(batch, id, body),
  });
  moneyRoute(app, billing, {
    url: '/v1/subscriptions/:id/pause',
    summary: 'Pauses a subscription; what is unused of its period is credited',
    ...{ ...shared, body: none },
    decide: (batch, _body, id) => subscriptions.pause(batch, id),
  });
  moneyRoute(app, billing, {
    url: '/v1/subscriptions/:id/resume',
    summary:
      'Resumes a paused subscription with a new period, or takes back what would happen at the end of this one',
    ...{ ...shared, body: none },
    decide: (batch, _body, id) => subscriptions.resume(batch, id),
  });
  moneyRoute(app, billing, {
    url: '/v1/subscriptions/:id/cancel',
    summary: 'Ends a subscription: at once, the unused credited, or with its period',
    ...{ ...shared, body: CancelRequest },
    decide: (batch, body, id) => subscriptions.cancel(batch, id, body.when),
  });
}

function invoiceRoutes(app: App, billing: Billing): void {
  const { invoices, payments } = billing;
  app.get(
    '/v1/invoices',
    {
      config: { credential: operators },
      schema: {
        summary: 'Invoices by number, or those of an account',
        tags,
        querystring: Type.Object(
          {
            ...{ account: Type.Optional(ObjectId), limit: Limit },
            after: Type.Integer({ default: 0, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
          },
          { additionalProperties: false },
        ),
        response: { 200: InvoiceList },
      },
    },
    async ({ query }) => {
      const page = await invoices.list(query);
      const last = page.at(-1);
      return { invoices: page, ...(page.length === query.limit && last && { next: last.number }) };
    },
  );
  app.get(
    '/v1/invoices/:id',
    {
      config: { credential: operators },
      schema: { summary: 'One invoice', tags, params, response: { 200: InvoiceView } },
    },
    ({ params: { id } }) => invoices.view(id),
  );
  moneyRoute(app, billing, {
    url: '/v1/invoices/:id/credit',
    summary:
      'Writes a credit note over an invoice or a part of it; what was paid of it goes to the account’s credit',
    ...{ body: CreditNoteRequest, reply: CreditNotePaper },
    decide: (batch, body, id) => payments.credit(batch, id, body),
  });
}

function paymentRoutes(app: App, billing: Billing): void {
  const { payments } = billing;
  app.get(
    '/v1/payments',
    {
      config: { credential: operators },
      schema: {
        summary: 'Payments and refunds, by id',
        tags,
        querystring: Type.Object(
          { after: Type.Optional(ObjectId), limit: Limit },
          { additionalProperties: false },
        ),
        response: { 200: PaymentList },
      },
    },
    async ({ query }) => {
      const page = await payments.list(query);
      const last = page.at(-1);
      return { payments: page, ...(page.length === query.limit && last && { next: last.id }) };
    },
  );
  moneyRoute(app, billing, {
    url: '/v1/payments',
    summary: 'Records money that came for an invoice',
    ...{ body: PaymentRequest, reply: PaymentView },
    decide: (batch, body) => payments.pay(batch, body),
  });
  moneyRoute(app, billing, {
    url: '/v1/payments/refund',
    summary: 'Records money that was given back of an account’s credit',
    ...{ body: RefundRequest, reply: PaymentView },
    decide: (batch, body) => payments.refund(batch, body),
  });
}

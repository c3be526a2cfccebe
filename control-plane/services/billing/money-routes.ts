import {
  CancelRequest,
  CreditNoteList,
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
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { Limit, moneyRoute, nothing } from './money-route.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;
const params = Type.Object({ id: ObjectId });
/** A page of papers: all, or those of an account, after a number. */
const Numbered = Type.Object(
  {
    ...{ account: Type.Optional(ObjectId), limit: Limit },
    after: Type.Integer({ default: 0, minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  },
  { additionalProperties: false },
);

/** Routes that move money, each once for its Idempotency-Key, and those that show what was moved. */
export function moneyRoutes(app: App, billing: Billing): void {
  subscriptionReads(app, billing);
  subscriptionChanges(app, billing);
  invoiceRoutes(app, billing);
  creditNoteRoutes(app, billing);
  paymentRoutes(app, billing);
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
    ...{ ...shared, body: nothing },
    decide: (batch, _body, id) => subscriptions.pause(batch, id),
  });
  moneyRoute(app, billing, {
    url: '/v1/subscriptions/:id/resume',
    summary:
      'Resumes a paused subscription with a new period, or takes back what would happen at the end of this one',
    ...{ ...shared, body: nothing },
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
        querystring: Numbered,
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

function creditNoteRoutes(app: App, { invoices }: Billing): void {
  app.get(
    '/v1/invoices/credit-notes',
    {
      config: { credential: operators },
      schema: {
        summary: 'Credit notes by number, or those of an account',
        tags,
        querystring: Numbered,
        response: { 200: CreditNoteList },
      },
    },
    async ({ query }) => {
      const page = await invoices.creditNotes(query);
      const last = page.at(-1);
      return { creditNotes: page, ...(page.length === query.limit && last && { next: last.number }) };
    },
  );
}

function paymentRoutes(app: App, billing: Billing): void {
  const { payments } = billing;
  app.get(
    '/v1/payments',
    {
      config: { credential: operators },
      schema: {
        summary: 'Payments and refunds by id, or those of an account',
        tags,
        querystring: Type.Object(
          { account: Type.Optional(ObjectId), after: Type.Optional(ObjectId), limit: Limit },
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

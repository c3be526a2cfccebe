import type { FastifyReply } from 'fastify';
import { Issuer } from '../../../common/contract/billing.ts';
import {
  RevenueReport,
  UsageDue,
  UsageReply,
  UsageRequest,
  UsageSums,
} from '../../../common/contract/usage.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { creditNotePage, invoiceHtml, invoicePage, type InvoicePage } from './core/invoice-page.ts';
import { invoicePdf } from './core/invoice-pdf.ts';
import { Limit } from './money-route.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;

/** Routes of what is counted and printed: usage, reports, invoices as pages. */
export function reportRoutes(app: App, billing: Billing): void {
  usageRoutes(app, billing);
  usageDueRoute(app, billing);
  issuerRoutes(app, billing);
  paperRoutes(app, billing);
  app.get(
    '/v1/reports/revenue',
    {
      config: { credential: operators },
      schema: {
        summary: 'Revenue by currency, and who came and went, by calendar month',
        tags,
        querystring: Type.Object(
          { months: Type.Integer({ default: 12, minimum: 1, maximum: 120 }) },
          { additionalProperties: false },
        ),
        response: { 200: RevenueReport },
      },
    },
    ({ query }) => billing.reports.revenue(query.months),
  );
}

function usageRoutes(app: App, { usage }: Billing): void {
  app.post(
    '/v1/usage',
    {
      // Whoever counts tells many; what was told is in the sums.
      config: { credential: ['operator'], audit: false },
      schema: {
        summary: 'Tells what accounts have used; a record of the same account and id is counted once',
        tags,
        body: UsageRequest,
        response: { 200: UsageReply },
      },
    },
    ({ body }) => usage.add(body),
  );
  app.get(
    '/v1/usage',
    {
      config: { credential: operators },
      schema: {
        summary: 'What accounts have used, by month and metric',
        tags,
        querystring: Type.Object(
          {
            ...{ account: Type.Optional(ObjectId), limit: Limit },
            after: Type.Optional(Type.String({ maxLength: 256 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: UsageSums },
      },
    },
    ({ query }) => usage.sums(query),
  );
}

function usageDueRoute(app: App, { metered }: Billing): void {
  app.get(
    '/v1/subscriptions/:id/usage',
    {
      config: { credential: operators },
      schema: {
        summary:
          'What a subscription has used and is not invoiced yet, as it will be at the end of its period',
        ...{ tags, params: Type.Object({ id: ObjectId }), response: { 200: UsageDue } },
      },
    },
    ({ params: { id } }) => metered.due(id),
  );
}

function issuerRoutes(app: App, { offers }: Billing): void {
  app.get(
    '/v1/issuer',
    {
      config: { credential: operators },
      schema: { summary: 'Who issues invoices', tags, response: { 200: Issuer } },
    },
    async () => {
      const issuer = await offers.issuer();
      if (issuer === undefined) throw coded('NOT_FOUND', 'nobody has said who issues invoices');
      return issuer;
    },
  );
  app.put(
    '/v1/issuer',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Puts who issues invoices; those that are written keep theirs',
        ...{ tags, body: Issuer, response: { 200: Issuer } },
      },
    },
    ({ body }) => offers.putIssuer(body),
  );
}

function paperRoutes(app: App, { invoices, subscriptions }: Billing): void {
  const invoiceOf = async (id: string) => {
    const invoice = await invoices.view(id);
    const { timeZone } = await subscriptions.view(invoice.subscription);
    return { invoice, timeZone };
  };
  pageRoutes(app, {
    ...{ path: '/v1/invoices', what: 'An invoice' },
    async pageOf(id) {
      const { invoice, timeZone } = await invoiceOf(id);
      return invoicePage(invoice, timeZone);
    },
  });
  pageRoutes(app, {
    ...{ path: '/v1/invoices/credit-notes', what: 'A credit note' },
    async pageOf(id) {
      const note = await invoices.creditNote(id);
      return creditNotePage(note, await invoiceOf(note.invoice));
    },
  });
}

function pageRoutes(
  app: App,
  { path, what, pageOf }: { path: string; what: string; pageOf: (id: string) => Promise<InvoicePage> },
): void {
  const params = Type.Object({ id: ObjectId });
  app.get(
    `${path}/:id/page`,
    {
      config: { credential: operators },
      schema: {
        summary: `${what} as a page of HTML, as it was written`,
        ...{ tags, params, produces: ['text/html'] },
      },
    },
    async ({ params: { id } }, reply): Promise<FastifyReply> => {
      // Nothing on it loads or runs anything.
      void reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
      return await reply.type('text/html; charset=utf-8').send(invoiceHtml(await pageOf(id)));
    },
  );
  app.get(
    `${path}/:id/pdf`,
    {
      config: { credential: operators },
      schema: {
        summary: `${what} as PDF, as it was written`,
        ...{ tags, params, produces: ['application/pdf'] },
      },
    },
    async ({ params: { id } }, reply): Promise<FastifyReply> =>
      await reply.type('application/pdf').send(valueOf(invoicePdf(await pageOf(id)))),
  );
}

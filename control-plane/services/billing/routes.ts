import {
  CouponList,
  CouponRequest,
  CouponView,
  EntitlementsView,
  PlanList,
  PlanRequest,
  PlanView,
  TaxTable,
} from '../../../common/contract/billing.ts';
import { BillingName, ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { ledgerRoutes } from './ledger-routes.ts';
import { moneyRoutes } from './money-routes.ts';
import { providerRoutes } from './payment-routes.ts';
import { reportRoutes } from './report-routes.ts';
import type { Billing } from './service.ts';
import { webhookRoutes } from './webhook-routes.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;
const byName = Type.Object({ id: BillingName });

/** Routes of billing: here those of what is sold and of what accounts may do. */
export function billingRoutes(app: App, { billing }: { billing: Billing }): void {
  planRoutes(app, billing);
  couponAndTaxRoutes(app, billing);
  entitlementRoutes(app, billing);
  ledgerRoutes(app, billing);
  moneyRoutes(app, billing);
  providerRoutes(app, billing);
  webhookRoutes(app, billing);
  reportRoutes(app, billing);
}

function planRoutes(app: App, { offers }: Billing): void {
  app.get(
    '/v1/plans',
    {
      config: { credential: [...operators, 'viewer'] },
      schema: {
        summary: 'Plans that are sold; all of them with `archived`',
        tags,
        querystring: Type.Object(
          { archived: Type.Boolean({ default: false }) },
          { additionalProperties: false },
        ),
        response: { 200: PlanList },
      },
    },
    async ({ query }) => ({ plans: await offers.plans(query) }),
  );
  app.put(
    '/v1/plans/:id',
    {
      config: { credential: ['operator'] },
      schema: {
        summary:
          'Puts a plan, new or instead of the one of this name; who has subscribed keeps the price of then',
        tags,
        params: byName,
        body: PlanRequest,
        response: { 200: PlanView },
      },
    },
    ({ params, body }) => offers.putPlan(params.id, body),
  );
}

function couponAndTaxRoutes(app: App, { offers }: Billing): void {
  app.get(
    '/v1/coupons',
    {
      config: { credential: operators },
      schema: { summary: 'Coupons, and how often each was redeemed', tags, response: { 200: CouponList } },
    },
    async () => ({ coupons: await offers.coupons() }),
  );
  app.put(
    '/v1/coupons/:id',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Puts a coupon; who has redeemed it keeps what it said then',
        tags,
        params: byName,
        body: CouponRequest,
        response: { 200: CouponView },
      },
    },
    ({ params, body }) => offers.putCoupon(params.id, body),
  );
  app.get(
    '/v1/taxes',
    {
      config: { credential: operators },
      schema: { summary: 'The table of taxes', tags, response: { 200: TaxTable } },
    },
    () => offers.taxes(),
  );
  app.put(
    '/v1/taxes',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Puts the table of taxes, as a whole; invoices that are written keep theirs',
        tags,
        body: TaxTable,
        response: { 200: TaxTable },
      },
    },
    ({ body }) => offers.putTaxes(body),
  );
}

function entitlementRoutes(app: App, { entitlements }: Billing): void {
  app.get(
    '/v1/entitlements',
    {
      config: { credential: [...operators, 'viewer'] },
      schema: {
        summary: 'What you may watch by your plan; to an operator, what an account may',
        tags,
        querystring: Type.Object({ account: Type.Optional(ObjectId) }, { additionalProperties: false }),
        response: { 200: EntitlementsView },
      },
    },
    async ({ caller, query: { account } }) => {
      assert(caller.kind === 'access', 'the route takes access tokens only');
      if (account !== undefined && account !== caller.sub && caller.role === 'viewer')
        throw coded('FORBIDDEN', 'a viewer sees their own account only');
      return entitlements.of(account ?? caller.sub);
    },
  );
}

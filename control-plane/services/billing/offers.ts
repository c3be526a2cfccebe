import type { PaymentProvider } from '../../../common/adapters/payments/port.ts';
import type {
  CouponRequest,
  CouponView,
  Issuer,
  PlanPrice,
  PlanRequest,
  PlanView,
  TaxTable,
} from '../../../common/contract/billing.ts';
import { currencyDecimals } from '../../../common/core/currency.ts';
import { amountText } from '../../../common/core/money.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { faultOfMeters } from './core/meters.ts';
import type { Desk } from './desk.ts';
import type { BillingRecords } from './records.ts';

/** What is sold: plans, coupons, and the taxes on it. Each is put as a whole; who has subscribed keeps what held then. */
export interface Offers {
  /**
   * Errors: CURRENCY_UNKNOWN, INVALID (two prices in one currency by the same unit, meters that cannot be), AMOUNT_INVALID (the payment provider
   * takes no such amount, and the plan is still sold).
   */
  putPlan(id: string, request: PlanRequest): Promise<PlanView>;
  /** By id; those that are still sold unless `archived`. */
  plans(options: { archived: boolean }): Promise<PlanView[]>;
  plan(id: string): Promise<PlanView | undefined>;
  /** Errors: CURRENCY_UNKNOWN. */
  putCoupon(id: string, request: CouponRequest): Promise<CouponView>;
  coupons(): Promise<CouponView[]>;
  putTaxes(table: TaxTable): Promise<TaxTable>;
  taxes(): Promise<TaxTable>;
  /** Who issues invoices from now on. */
  putIssuer(issuer: Issuer): Promise<Issuer>;
  issuer(): Promise<Issuer | undefined>;
}

const onlyKey = 'all';

/** Opens the offers; `plansChanged` hears of every plan that was put. */
export function openOffers(options: {
  records: BillingRecords;
  desk: Desk;
  provider: Pick<PaymentProvider, 'name' | 'takes'> | undefined;
  plansChanged: () => void;
}): Offers {
  const { records, desk, provider, plansChanged } = options;
  return {
    async putPlan(id, request) {
      for (const { currency } of request.prices) checkCurrency(currency);
      const kinds = request.prices.map(({ currency, interval }) => `${currency} by the ${interval.unit}`);
      const twice = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
      if (twice !== undefined) throw coded('INVALID', `prices: there are two in ${twice}`);
      for (const { meters = [], currency } of request.prices) {
        const fault = faultOfMeters(meters);
        if (fault !== undefined) throw coded('INVALID', `meters of the price in ${currency}: ${fault}`);
      }
      // Who has subscribed keeps the price: what is sold no longer may stand.
      if (!request.archived) for (const price of request.prices) checkPrice(price, provider);
      const plan = { id, ...request };
      await desk.book(async (batch) => {
        batch.change(records.plans.putOperation(id, plan));
      });
      plansChanged();
      return plan;
    },
    async plans({ archived }) {
      const plans = (await records.plans.scan()).map(({ value }) => value);
      return archived ? plans : plans.filter((plan) => !plan.archived);
    },
    plan: async (id) => (await records.plans.get(id))?.value,
    async putCoupon(id, request) {
      if (request.off.kind === 'amount') checkCurrency(request.off.currency);
      return desk.book(async (batch) => {
        const before = (await records.coupons.get(id))?.value;
        const coupon = { id, ...request, redemptions: before?.redemptions ?? 0 };
        batch.change(records.coupons.putOperation(id, coupon));
        return coupon;
      });
    },
    coupons: async () => (await records.coupons.scan()).map(({ value }) => value),
    async putTaxes(table) {
      await desk.book(async (batch) => {
        batch.change(records.taxes.putOperation(onlyKey, table));
      });
      return table;
    },
    async putIssuer(issuer) {
      await desk.book(async (batch) => {
        batch.change(records.issuer.putOperation(onlyKey, issuer));
      });
      return issuer;
    },
    issuer: async () => (await records.issuer.get(onlyKey))?.value,
    taxes: async () => (await records.taxes.get(onlyKey))?.value ?? { rows: [] },
  };
}

/** A price that can never be paid would earn nothing, period after period. */
function checkPrice(
  { amount, currency }: PlanPrice,
  provider: Pick<PaymentProvider, 'name' | 'takes'> | undefined,
): void {
  if (amount === 0 || provider === undefined || provider.takes(amount, currency) > 0) return;
  throw coded(
    'AMOUNT_INVALID',
    `prices: ${amountText(amount, currency)} ${currency} is less than ${provider.name} takes; ask for more, or for nothing`,
  );
}

function checkCurrency(code: string): void {
  if (currencyDecimals(code) === undefined) throw coded('CURRENCY_UNKNOWN', code);
}

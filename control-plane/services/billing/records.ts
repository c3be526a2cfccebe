import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Books } from '../../../common/adapters/records/port.ts';
import {
  BillingName,
  BillingPeriod,
  CouponRequest,
  PaymentView,
  PlanPrice,
  PlanView,
  SubscriptionState,
  SubscriptionView,
  TaxTable,
} from '../../../common/contract/billing.ts';
import { ObjectId, TimeMs } from '../../../common/contract/primitives.ts';
import { Type, type Static, type TSchema } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const SubscriptionNext = SubscriptionView.properties.next;

const CouponRecord = Type.Object({ ...CouponRequest.properties, id: BillingName, redemptions: Count });
export type CouponRecord = Static<typeof CouponRecord>;

/** A subscription, with its coupons as they were when they were redeemed. */
export const SubscriptionRecord = Type.Object({
  version: Type.Literal(1),
  id: ObjectId,
  account: ObjectId,
  country: Type.String(),
  region: Type.Optional(Type.String()),
  createdAtMs: TimeMs,
  /** When time changes it next; under that time it stands among those that are due. */
  dueAtMs: Type.Optional(TimeMs),
  state: SubscriptionState,
  plan: BillingName,
  price: PlanPrice,
  timeZone: Type.String(),
  trialEndsMs: Type.Optional(TimeMs),
  anchorMs: TimeMs,
  index: Count,
  period: BillingPeriod,
  charge: Type.Optional(Type.Object({ invoice: ObjectId, base: Count, period: BillingPeriod })),
  next: SubscriptionNext,
  coupons: Type.Array(
    Type.Object({ coupon: Type.Object({ ...CouponRequest.properties, id: BillingName }), used: Count }),
  ),
  unpaid: Type.Array(Type.Object({ invoice: ObjectId, dueAtMs: TimeMs })),
  endedAtMs: Type.Optional(TimeMs),
});
export type SubscriptionRecord = Static<typeof SubscriptionRecord>;

/** What billing knows of an account: the subscription that lasts, and whether it has had its trial. */
const AccountRecord = Type.Object({ subscription: Type.Optional(ObjectId), hadTrial: Type.Boolean() });
export type AccountRecord = Static<typeof AccountRecord>;

/** What has become of an invoice; what it says itself stands on its paper. */
const InvoiceRecord = Type.Object({
  paid: Count,
  /** Sums of its credit notes. */
  credited: Type.Object({ base: Count, taxes: Type.Array(Count), gross: Count }),
  /** Of the gross amounts of credit notes, what was still owed then. */
  creditedOpen: Count,
  writtenOff: Count,
});
export type InvoiceRecord = Static<typeof InvoiceRecord>;

const IdempotencyRecord = Type.Object({
  /** SHA-256 of method, path and body. */
  request: Type.String(),
  reply: Type.Unknown(),
  atMs: TimeMs,
});

/** Points to a record by its key. */
const Reference = Type.Object({ id: Type.String() });

/** The collections of billing. */
export interface BillingRecords {
  books: Books;
  plans: Collection<PlanView>;
  coupons: Collection<CouponRecord>;
  /** One record, `all`. */
  taxes: Collection<TaxTable>;
  accounts: Collection<AccountRecord>;
  subscriptions: Collection<SubscriptionRecord>;
  /** By time and id: what time changes next. */
  due: Collection<{ id: string }>;
  /** By account and id. */
  subscriptionsOf: Collection<{ id: string }>;
  /** By id, beside the papers of the series `invoice`. */
  invoices: Collection<InvoiceRecord>;
  /** By account and number. */
  invoicesOf: Collection<{ id: string }>;
  payments: Collection<PaymentView>;
  idempotency: Collection<Static<typeof IdempotencyRecord>>;
  /** By time and key, to be forgotten in their order. */
  idempotencyTimes: Collection<{ id: string }>;
}

/** Opens the collections of billing. */
export function openBillingRecords(books: Books): BillingRecords {
  const collection = <T extends TSchema>(name: string, schema: T): Collection<Static<T> & object> =>
    openCollection(
      books,
      name,
      (value) =>
        parseAs(schema, value, { what: `a record of ${name}`, code: 'STORE_CORRUPT' }) as Static<T> & object,
    );
  return {
    books,
    plans: collection('plans', PlanView),
    coupons: collection('coupons', CouponRecord),
    taxes: collection('taxes', TaxTable),
    accounts: collection('accounts', AccountRecord),
    subscriptions: collection('subscriptions', SubscriptionRecord),
    due: collection('due', Reference),
    subscriptionsOf: collection('subscriptions-of', Reference),
    invoices: collection('invoices', InvoiceRecord),
    invoicesOf: collection('invoices-of', Reference),
    payments: collection('payments', PaymentView),
    idempotency: collection('idempotency', IdempotencyRecord),
    idempotencyTimes: collection('idempotency-times', Reference),
  };
}

/** A time or a number as a part of a key, so that keys have its order. */
export function ordered(number: number): string {
  return String(number).padStart(16, '0');
}

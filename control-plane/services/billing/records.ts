import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Books } from '../../../common/adapters/records/port.ts';
import {
  BillingPeriod,
  CollectionView,
  CouponRequest,
  Issuer,
  PaymentView,
  PlanPrice,
  PlanView,
  SubscriptionState,
  SubscriptionView,
  TaxTable,
} from '../../../common/contract/billing.ts';
import { DisputeView, WaitingDispute } from '../../../common/contract/disputes.ts';
import { BillingName, ObjectId, TimeMs } from '../../../common/contract/primitives.ts';
import { UsageLine } from '../../../common/contract/meters.ts';
import { WebhookView } from '../../../common/contract/webhooks.ts';
import { Type, type Static, type TSchema } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { rangesMax } from './core/played-seconds.ts';

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Periods of which usage is carried to a later invoice. */
export const carriedMax = 24;
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
  meteredSince: Type.Optional(Type.Array(Type.Object({ metric: BillingName, sinceMs: TimeMs }))),
  next: SubscriptionNext,
  coupons: Type.Array(
    Type.Object({ coupon: Type.Object({ ...CouponRequest.properties, id: BillingName }), used: Count }),
  ),
  unpaid: Type.Array(Type.Object({ invoice: ObjectId, dueAtMs: TimeMs })),
  endedAtMs: Type.Optional(TimeMs),
});
export type SubscriptionRecord = Static<typeof SubscriptionRecord>;

/** What billing knows of an account: the subscription that lasts, and what it has had: its trial, coupons. */
const AccountRecord = Type.Object({
  subscription: Type.Optional(ObjectId),
  hadTrial: Type.Boolean(),
  coupons: Type.Optional(Type.Array(BillingName)),
});
export type AccountRecord = Static<typeof AccountRecord>;

/** What has become of an invoice; what it says itself stands on its paper. */
const InvoiceRecord = Type.Object({
  paid: Count,
  /** Of what is paid, what came after it was given up. */
  recovered: Type.Optional(Count),
  /** Sums of its credit notes. */
  credited: Type.Object({ base: Count, taxes: Type.Array(Count), gross: Count }),
  /** Of the gross amounts of credit notes, what was still owed then. */
  creditedOpen: Count,
  writtenOff: Count,
  /** What was not worth asking for: less than the provider takes. */
  waived: Type.Optional(Count),
  /** Of the gross amounts of credit notes, what had been written off or waived. */
  creditedGivenUp: Type.Optional(Count),
});
export type InvoiceRecord = Static<typeof InvoiceRecord>;

const IdempotencyRecord = Type.Object({
  /** SHA-256 of method, path and body. */
  request: Type.String(),
  reply: Type.Unknown(),
  atMs: TimeMs,
});

/** An account as the payment provider knows it. */
const PayerRecord = Type.Object({
  customer: Type.String(),
  /** By which invoices are paid; none until the person has said it. */
  method: Type.Optional(Type.String()),
  /** When they said it: what was said earlier may come later. */
  methodAtMs: Type.Optional(TimeMs),
});
export type PayerRecord = Static<typeof PayerRecord>;

/** How the provider gets on with an invoice; under its time it stands among those that are due. */
const CollectionRecord = Type.Object({
  ...CollectionView.properties,
  /** What was sent with this attempt: sent again it must be the same. */
  sent: Type.Optional(
    Type.Object({
      customer: Type.String(),
      method: Type.String(),
      amount: Count,
      currency: Type.String(),
    }),
  ),
  /** How often the provider could not be asked in a row. */
  unreached: Type.Optional(Count),
  /** How often it refused what was sent without looking for money: those sendings are no attempts. */
  refusals: Type.Optional(Count),
});
export type CollectionRecord = Static<typeof CollectionRecord>;

/** Money that was asked for ahead of any invoice. */
const PrepaymentRecord = Type.Object({
  /** What it is in the books. */
  payment: ObjectId,
  /** By what it was asked for, as long as whoever wanted it does not know what became of it. */
  sent: Type.Optional(Type.Object({ customer: Type.String(), method: Type.String() })),
  failure: Type.Optional(Type.String()),
  /** When it is looked after, unless somebody asks before: under that time it stands among those that are due. */
  nextAtMs: TimeMs,
  /** How often the provider refused it without looking for money: each sending has a number of its own. */
  refusals: Type.Optional(Count),
  /** The last sending was refused: the next is by the card of then. */
  isRefused: Type.Optional(Type.Literal(true)),
});
export type PrepaymentRecord = Static<typeof PrepaymentRecord>;

/** A payment under dispute, and what of its account's credit is held for it. */
const DisputedOfRecord = Type.Object({ payment: ObjectId, currency: Type.String(), held: Count });
export type DisputedOfRecord = Static<typeof DisputedOfRecord>;

/** Money of a payment that its card's holder had the bank take back. */
const DisputeRecord = Type.Pick(DisputeView, ['payment', 'amount', 'currency', 'state']);

const WebhookRecord = Type.Object({ ...WebhookView.properties, secret: Type.String() });
export type WebhookRecord = Static<typeof WebhookRecord>;

/** An event on its way to a webhook, as it is sent each time. */
const DeliveryRecord = Type.Object({
  event: ObjectId,
  type: Type.String(),
  atMs: TimeMs,
  body: Type.String(),
  tries: Count,
  failure: Type.Optional(Type.String()),
});
export type DeliveryRecord = Static<typeof DeliveryRecord>;

const UsageRecord = Type.Object({
  ...{ metric: BillingName, quantity: Count, atMs: TimeMs, toldAtMs: TimeMs },
  /** A meter of the account's price has counted it. */
  isMetered: Type.Optional(Type.Literal(true)),
});
export type UsageRecord = Static<typeof UsageRecord>;
/** A session that is charged, and what it has played so far; see core/played-seconds.ts. */
const PlayedRecord = Type.Object({
  account: ObjectId,
  /** Under which it is usage; says nothing of the session. */
  id: Type.String(),
  begunMs: TimeMs,
  ranges: Type.Array(Type.Tuple([Count, Count]), { maxItems: rangesMax }),
  ...{ folded: Count, floorS: Count },
  /** Seconds that are to be usage, and those that are, in so many parts. */
  ...{ counted: Count, told: Count, parts: Count },
  /** When the first of those was played that are not usage yet. */
  sinceMs: Type.Optional(TimeMs),
});
export type PlayedRecord = Static<typeof PlayedRecord>;
/**
 * What meters have counted of one thing: what was told is open, or carried to the next invoice, or it was invoiced, free (within what is
 * included), or given up.
 */
const MeteredRecord = Type.Object({
  /** What of `told` has no record of its own any more. */
  folded: Count,
  ...{ told: Count, open: Count, invoiced: Count, free: Count, givenUp: Count },
  /** By the terms of then: too little to be asked for by itself. */
  carried: Type.Array(UsageLine, { maxItems: carriedMax }),
});
export type MeteredRecord = Static<typeof MeteredRecord>;

const ListedRecord = Type.Object({
  paymentsTo: Type.Optional(ObjectId),
  notesTo: Count,
  isDone: Type.Boolean(),
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
  /** One record, `all`. */
  issuer: Collection<Issuer>;
  /** By account and id: usage that was counted. */
  usage: Collection<UsageRecord>;
  /** By the time they were told and their key, to be folded in their order. */
  usageTimes: Collection<{ id: string }>;
  /** By account, month and metric. */
  usageSums: Collection<{ quantity: number }>;
  /** By session, whose id begins with when it began: those that are charged. */
  played: Collection<PlayedRecord>;
  /** By account and metric. */
  metered: Collection<MeteredRecord>;
  accounts: Collection<AccountRecord>;
  /** By a hash of the account: it was erased. */
  erased: Collection<{ id: string }>;
  /** By time and that hash, to be forgotten in their order. */
  erasedTimes: Collection<{ id: string }>;
  subscriptions: Collection<SubscriptionRecord>;
  /** By time and id: what time changes next. */
  due: Collection<{ id: string }>;
  /** By account and id. */
  subscriptionsOf: Collection<{ id: string }>;
  /** By id, beside the papers of the series `invoice`. */
  invoices: Collection<InvoiceRecord>;
  /** By account and number. */
  invoicesOf: Collection<{ id: string }>;
  /** By account and number: credit notes. */
  creditNotesOf: Collection<{ id: string }>;
  payments: Collection<PaymentView>;
  /** By account and id. */
  paymentsOf: Collection<{ id: string }>;
  /** One record, `all`: how far payments and credit notes stand in the lists by account. */
  listed: Collection<Static<typeof ListedRecord>>;
  /** By the provider's id, our id of the payment. */
  providerPayments: Collection<{ id: string }>;
  /** By time and id: refunds that the provider is to give. */
  refundsDue: Collection<{ id: string }>;
  /** By account. */
  payers: Collection<PayerRecord>;
  /** By customer, the account. */
  payerOf: Collection<{ id: string }>;
  /** By invoice. */
  collections: Collection<CollectionRecord>;
  /** By time and invoice. */
  collectionsDue: Collection<{ id: string }>;
  /** By the key that they were asked for under. */
  prepayments: Collection<PrepaymentRecord>;
  /** By time and that key. */
  prepaymentsDue: Collection<{ id: string }>;
  /** By the provider's id. */
  disputes: Collection<Static<typeof DisputeRecord>>;
  /** By the provider's ids of payment and dispute: told before the payment came. */
  disputesWaiting: Collection<WaitingDispute>;
  /** By account and payment: those of which something is disputed. */
  disputedOf: Collection<DisputedOfRecord>;
  webhooks: Collection<WebhookRecord>;
  /** By webhook, time and event: what is to be sent. */
  deliveries: Collection<DeliveryRecord>;
  /** By webhook, time and event: what nobody took. */
  deadLetters: Collection<DeliveryRecord>;
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
    issuer: collection('issuer', Issuer),
    usage: collection('usage', UsageRecord),
    usageTimes: collection('usage-times', Reference),
    usageSums: collection('usage-sums', Type.Object({ quantity: Count })),
    played: collection('played', PlayedRecord),
    metered: collection('metered', MeteredRecord),
    accounts: collection('accounts', AccountRecord),
    erased: collection('erased', Reference),
    erasedTimes: collection('erased-times', Reference),
    subscriptions: collection('subscriptions', SubscriptionRecord),
    due: collection('due', Reference),
    subscriptionsOf: collection('subscriptions-of', Reference),
    invoices: collection('invoices', InvoiceRecord),
    invoicesOf: collection('invoices-of', Reference),
    creditNotesOf: collection('credit-notes-of', Reference),
    payments: collection('payments', PaymentView),
    paymentsOf: collection('payments-of', Reference),
    listed: collection('listed', ListedRecord),
    providerPayments: collection('provider-payments', Reference),
    refundsDue: collection('refunds-due', Reference),
    payers: collection('payers', PayerRecord),
    payerOf: collection('payer-of', Reference),
    collections: collection('collections', CollectionRecord),
    collectionsDue: collection('collections-due', Reference),
    prepayments: collection('prepayments', PrepaymentRecord),
    prepaymentsDue: collection('prepayments-due', Reference),
    disputes: collection('disputes', DisputeRecord),
    disputesWaiting: collection('disputes-waiting', WaitingDispute),
    disputedOf: collection('disputed-of', DisputedOfRecord),
    webhooks: collection('webhooks', WebhookRecord),
    deliveries: collection('deliveries', DeliveryRecord),
    deadLetters: collection('dead-letters', DeliveryRecord),
    idempotency: collection('idempotency', IdempotencyRecord),
    idempotencyTimes: collection('idempotency-times', Reference),
  };
}

/** A time or a number as a part of a key, so that keys have its order. */
export function ordered(number: number): string {
  return String(number).padStart(16, '0');
}

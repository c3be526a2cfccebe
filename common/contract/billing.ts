import { Meter, UsageLine } from './meters.ts';
import { BillingName, Line, ObjectId, TimeMs, TimeZone } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** Minor units of a currency: cents, yen, fils. The largest is that of common/core/money.ts. */
const Amount = Type.Integer({ minimum: 0, maximum: 100_000_000_000_000 });
const PositiveAmount = Type.Integer({ minimum: 1, maximum: 100_000_000_000_000 });
/** ISO 4217; whether there is one of this code is checked where it is used. */
const Currency = Type.String({ pattern: '^[A-Z]{3}$' });
const Country = Type.String({ pattern: '^[A-Z]{2}$' });
const Region = Type.String({ pattern: '^[A-Z0-9]{1,3}$' });
/** Parts per million: 19 % is 190,000. */
const Ppm = Type.Integer({ minimum: 0, maximum: 1_000_000 });
const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const BillingPeriod = Type.Object({ startMs: TimeMs, endMs: TimeMs });

/** What a plan lets its subscribers do. */
export const Entitlements = Type.Object(
  {
    /** Of the picture, in lines. */
    heightMax: Type.Integer({ minimum: 1, maximum: 8640 }),
    streamsMax: Type.Integer({ minimum: 1, maximum: 100 }),
    downloads: Type.Boolean(),
  },
  closed,
);
export type Entitlements = Static<typeof Entitlements>;

/** What a plan costs in one currency, for one interval. */
export const PlanPrice = Type.Object(
  {
    currency: Currency,
    amount: Amount,
    interval: Type.Object(
      {
        unit: Type.Union([Type.Literal('week'), Type.Literal('month'), Type.Literal('year')]),
        count: Type.Integer({ minimum: 1, maximum: 12 }),
      },
      closed,
    ),
    /** Whether the amount has the taxes in it. */
    taxInclusive: Type.Boolean(),
    /** What is invoiced at the end of each period, by what was used. */
    meters: Type.Optional(Type.Array(Meter, { minItems: 1, maxItems: 20 })),
  },
  closed,
);
export type PlanPrice = Static<typeof PlanPrice>;

/** A plan as it is put; who has subscribed keeps the price of then. */
export const PlanRequest = Type.Object(
  {
    name: Line,
    entitlements: Entitlements,
    prices: Type.Array(PlanPrice, { minItems: 1, maxItems: 500 }),
    trialDays: Type.Integer({ minimum: 0, maximum: 365 }),
    /** No longer sold. */
    archived: Type.Boolean(),
  },
  closed,
);
export type PlanRequest = Static<typeof PlanRequest>;
export const PlanView = Type.Object({ ...PlanRequest.properties, id: BillingName });
export type PlanView = Static<typeof PlanView>;
export const PlanList = Type.Object({ plans: Type.Array(PlanView) });

/** A coupon as it is put: exactly one of `partPpm`, and `amount` with `currency`. */
export const CouponRequest = Type.Object(
  {
    off: Type.Union([
      Type.Object(
        { kind: Type.Literal('part'), partPpm: Type.Integer({ minimum: 1, maximum: 1_000_000 }) },
        closed,
      ),
      Type.Object({ kind: Type.Literal('amount'), amount: PositiveAmount, currency: Currency }, closed),
    ]),
    /** How many invoices of a subscription it is taken off; forever where absent. */
    invoices: Type.Optional(Type.Integer({ minimum: 1, maximum: 1200 })),
    redemptionsMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    redeemBeforeMs: Type.Optional(TimeMs),
  },
  closed,
);
export type CouponRequest = Static<typeof CouponRequest>;
export const CouponView = Type.Object({ ...CouponRequest.properties, id: BillingName, redemptions: Count });
export type CouponView = Static<typeof CouponView>;
export const CouponList = Type.Object({ coupons: Type.Array(CouponView) });

/** All taxes: of countries, and of regions where those have their own, each from a moment on. */
export const TaxTable = Type.Object(
  {
    rows: Type.Array(
      Type.Object(
        {
          country: Country,
          region: Type.Optional(Region),
          validFromMs: TimeMs,
          taxes: Type.Array(Type.Object({ name: Line, ratePpm: Ppm }, closed), { maxItems: 4 }),
        },
        closed,
      ),
      { maxItems: 5000 },
    ),
  },
  closed,
);
export type TaxTable = Static<typeof TaxTable>;

export const SubscriptionState = Type.Union([
  Type.Literal('trial'),
  Type.Literal('active'),
  Type.Literal('past_due'),
  Type.Literal('paused'),
  Type.Literal('canceled'),
]);

/** Subscribes an account to a plan. */
export const SubscriptionRequest = Type.Object(
  {
    account: ObjectId,
    plan: BillingName,
    currency: Currency,
    /** Which of the plan's prices in that currency, where it has several. */
    unit: Type.Optional(PlanPrice.properties.interval.properties.unit),
    country: Country,
    region: Type.Optional(Region),
    timeZone: TimeZone,
    coupon: Type.Optional(BillingName),
  },
  closed,
);
export type SubscriptionRequest = Static<typeof SubscriptionRequest>;

/** When a change takes effect: at once with what is unused credited, or with the next period. */
const When = Type.Union([Type.Literal('now'), Type.Literal('period-end')]);
export type When = Static<typeof When>;

export const PlanChangeRequest = Type.Object(
  { plan: BillingName, unit: SubscriptionRequest.properties.unit, when: When },
  closed,
);
export type PlanChangeRequest = Static<typeof PlanChangeRequest>;
export const CancelRequest = Type.Object({ when: When }, closed);

/** A subscription; money is in minor units of its price's currency. */
export const SubscriptionView = Type.Object({
  id: ObjectId,
  account: ObjectId,
  plan: BillingName,
  price: PlanPrice,
  state: SubscriptionState,
  country: Country,
  region: Type.Optional(Region),
  timeZone: TimeZone,
  /** The trial, or what was last paid for. */
  period: BillingPeriod,
  /** What happens at its end, other than that it goes on. */
  next: Type.Optional(
    Type.Union([
      Type.Object({ kind: Type.Literal('cancel') }),
      Type.Object({ kind: Type.Literal('plan'), plan: BillingName, price: PlanPrice }),
    ]),
  ),
  coupons: Type.Array(BillingName),
  /** Invoices that are not paid yet. */
  unpaid: Type.Array(ObjectId),
  createdAtMs: TimeMs,
  endedAtMs: Type.Optional(TimeMs),
});
export type SubscriptionView = Static<typeof SubscriptionView>;
export const SubscriptionList = Type.Object({
  subscriptions: Type.Array(SubscriptionView),
  next: Type.Optional(ObjectId),
});
export type SubscriptionList = Static<typeof SubscriptionList>;

const TaxAmount = Type.Object({ name: Line, ratePpm: Ppm, amount: Amount });

/** An invoice or a credit note as it was written, for good. */
const Paper = {
  version: Type.Literal(1),
  id: ObjectId,
  number: Count,
  account: ObjectId,
  subscription: ObjectId,
  plan: BillingName,
  currency: Currency,
  country: Country,
  region: Type.Optional(Region),
  issuedAtMs: TimeMs,
  taxes: Type.Array(TaxAmount),
  net: Amount,
  gross: Amount,
};

/** Who issues invoices, as it has to stand on them. */
export const Issuer = Type.Object(
  {
    name: Line,
    /** Address, tax number, register: a line each. */
    lines: Type.Array(Line, { maxItems: 12 }),
  },
  closed,
);
export type Issuer = Static<typeof Issuer>;

/** `amount` less discounts is `base`, which is `gross` where prices include taxes, else `net`. */
export const InvoicePaper = Type.Object({
  ...Paper,
  text: Line,
  period: BillingPeriod,
  amount: Amount,
  /** Of an invoice of usage, what `amount` is the sum of. */
  usage: Type.Optional(Type.Array(UsageLine)),
  discounts: Type.Array(Type.Object({ coupon: BillingName, amount: Amount })),
  base: Amount,
  taxInclusive: Type.Boolean(),
  dueAtMs: TimeMs,
  /** Of the account's credit, used up for it. */
  creditApplied: Amount,
  /** Who issued it; absent where nobody had said. */
  issuer: Type.Optional(Issuer),
});
export type InvoicePaper = Static<typeof InvoicePaper>;

export const CreditNotePaper = Type.Object({
  ...Paper,
  invoice: ObjectId,
  base: Amount,
  reason: Line,
});
export type CreditNotePaper = Static<typeof CreditNotePaper>;
export const CreditNoteList = Type.Object({
  creditNotes: Type.Array(CreditNotePaper),
  next: Type.Optional(Count),
});
export type CreditNoteList = Static<typeof CreditNoteList>;

/** What has become of an invoice; its amounts and `creditApplied` less these is what is still open. */
export const InvoiceView = Type.Object({
  ...InvoicePaper.properties,
  status: Type.Union([Type.Literal('open'), Type.Literal('paid'), Type.Literal('uncollectible')]),
  paid: Amount,
  /** Taken back by credit notes. */
  credited: Amount,
  /** Given up, and neither paid nor credited since. */
  givenUp: Type.Optional(PositiveAmount),
  open: Amount,
});
export type InvoiceView = Static<typeof InvoiceView>;
export const InvoiceList = Type.Object({ invoices: Type.Array(InvoiceView), next: Type.Optional(Count) });
export type InvoiceList = Static<typeof InvoiceList>;
export const CreditNoteRequest = Type.Object(
  {
    /** Of the invoice's base, in minor units; all that is left of it where absent. */
    amount: Type.Optional(PositiveAmount),
    reason: Line,
  },
  closed,
);
export type CreditNoteRequest = Static<typeof CreditNoteRequest>;

/** Money that came for an invoice, outside of any provider. */
export const PaymentRequest = Type.Object(
  { invoice: ObjectId, amount: PositiveAmount, currency: Currency, reference: Line },
  closed,
);
export type PaymentRequest = Static<typeof PaymentRequest>;
/** Money that is given back of an account's credit: by hand, or the way that `payment` came. */
export const RefundRequest = Type.Object(
  {
    ...{ account: ObjectId, amount: PositiveAmount, currency: Currency, reference: Line },
    payment: Type.Optional(ObjectId),
  },
  closed,
);
export type RefundRequest = Static<typeof RefundRequest>;
export const PaymentView = Type.Object({
  id: ObjectId,
  kind: Type.Union([Type.Literal('payment'), Type.Literal('refund')]),
  account: ObjectId,
  /** What it paid; a refund is of an account's credit. */
  invoice: Type.Optional(ObjectId),
  amount: PositiveAmount,
  currency: Currency,
  reference: Line,
  atMs: TimeMs,
  /** Who took it or gives it back; by hand where absent. */
  provider: Type.Optional(BillingName),
  /** Its id there. */
  providerPayment: Type.Optional(Type.String()),
  /** Of a payment: what was not owed, and went to the account's credit. */
  toCredit: Type.Optional(PositiveAmount),
  /** Of a payment: what had been given up of its invoice, and came after all. */
  recovered: Type.Optional(PositiveAmount),
  /** Of a payment: what was given back, or is on its way. */
  refunded: Type.Optional(PositiveAmount),
  /** Of a payment: what its card's holder had the bank take back, as long as it is not decided for us. */
  disputed: Type.Optional(PositiveAmount),
  /** Of a refund: which payment. */
  payment: Type.Optional(ObjectId),
  /** Of what a provider is to do, a refund or a payment ahead of any invoice: asked for, or given up; else it is done. */
  state: Type.Optional(Type.Union([Type.Literal('pending'), Type.Literal('failed')])),
});
export type PaymentView = Static<typeof PaymentView>;
export const PaymentList = Type.Object({ payments: Type.Array(PaymentView), next: Type.Optional(ObjectId) });
export type PaymentList = Static<typeof PaymentList>;

/** Asks for a page on which a person says how to pay; `account` only for operators. */
export const PaymentMethodRequest = Type.Object(
  {
    account: Type.Optional(ObjectId),
    /** Where the page leads back to. */
    returnUrl: Type.String({ pattern: '^https?://[^\\s]+$', maxLength: 2048 }),
  },
  closed,
);
export const PaymentMethodPage = Type.Object({ url: Type.String() });
export const PaymentMethodView = Type.Object({
  account: Type.String(),
  /** Whether invoices are paid by themselves. */
  hasMethod: Type.Boolean(),
  provider: Type.Optional(BillingName),
});

/**
 * An invoice that is being paid by the provider. `due`: tried at `nextAtMs`; `sent`: asked for, no answer yet; `pending`: the provider will
 * tell; `failed`: not tried again until there is another way of paying; `ended`: nothing was left to pay.
 */
export const CollectionView = Type.Object({
  invoice: ObjectId,
  account: ObjectId,
  state: Type.Union([
    Type.Literal('due'),
    Type.Literal('sent'),
    Type.Literal('pending'),
    Type.Literal('paid'),
    Type.Literal('failed'),
    Type.Literal('ended'),
  ]),
  /** How often it has failed. */
  attempt: Count,
  nextAtMs: Type.Optional(TimeMs),
  /** Why it failed last, as the provider says. */
  reason: Type.Optional(Type.String()),
});
export type CollectionView = Static<typeof CollectionView>;
export const CollectionList = Type.Object({
  collections: Type.Array(CollectionView),
  next: Type.Optional(ObjectId),
});
export type CollectionList = Static<typeof CollectionList>;

const Signed = Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER });
export const LedgerBalanceList = Type.Object({
  balances: Type.Array(Type.Object({ account: Type.String(), currency: Currency, amount: Signed })),
  next: Type.Optional(Type.String()),
});
export type LedgerBalanceList = Static<typeof LedgerBalanceList>;
export const LedgerTransactionList = Type.Object({
  transactions: Type.Array(
    Type.Object({
      sequence: Count,
      id: Type.String(),
      atMs: TimeMs,
      kind: Type.String(),
      memo: Type.String(),
      hash: Type.String(),
      entries: Type.Array(Type.Object({ account: Type.String(), currency: Currency, amount: Signed })),
    }),
  ),
  next: Type.Optional(Count),
});
export type LedgerTransactionList = Static<typeof LedgerTransactionList>;

/** What counting the books again found. */
export const BooksProofView = Type.Object({
  transactions: Count,
  entries: Count,
  balances: Count,
  papers: Count,
  faults: Type.Array(Type.String()),
});

/** What an account may do now; no entitlements where it has no subscription that lasts. */
export const EntitlementsView = Type.Object({
  account: Type.String(),
  /** Whether watching takes a subscription: from the first plan on, archived or not. */
  isRequired: Type.Boolean(),
  entitlements: Type.Optional(Entitlements),
  subscription: Type.Optional(ObjectId),
});
export type EntitlementsView = Static<typeof EntitlementsView>;

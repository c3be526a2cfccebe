import { UsageLine } from './meters.ts';
import { BillingName, ObjectId, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** What an account has used, told by whoever counts it: each record once by its id. */
export const UsageRequest = Type.Object(
  {
    records: Type.Array(
      Type.Object(
        {
          id: Type.String({ pattern: '^[A-Za-z0-9_.-]{8,64}$' }),
          account: ObjectId,
          /** What is counted: `minutes-watched`, `titles-bought`. */
          metric: BillingName,
          quantity: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
          atMs: TimeMs,
        },
        closed,
      ),
      { minItems: 1, maxItems: 1000 },
    ),
  },
  closed,
);
export type UsageRequest = Static<typeof UsageRequest>;
/** What became of each record: what is refused (but UNAVAILABLE) is not worth telling again. */
export const UsageReply = Type.Object({
  ...{ accepted: Count, duplicates: Count },
  refused: Type.Array(Type.Object({ index: Count, code: Type.String(), detail: Type.String() })),
});
export type UsageReply = Static<typeof UsageReply>;
/** Sums of a calendar month (UTC), as `2026-01`. */
export const UsageSums = Type.Object({
  sums: Type.Array(
    Type.Object({ account: ObjectId, metric: BillingName, month: Type.String(), quantity: Count }),
  ),
  next: Type.Optional(Type.String()),
});
export type UsageSums = Static<typeof UsageSums>;

/** What a subscription has used that is not invoiced yet, as it would be now. */
export const UsageDue = Type.Object({
  currency: Type.String(),
  lines: Type.Array(UsageLine),
  amount: Count,
});
export type UsageDue = Static<typeof UsageDue>;

/** How business went, by calendar months (UTC), the earliest first. */
export const RevenueReport = Type.Object({
  /** Those that stand in the months, with the decimals of their amounts. */
  currencies: Type.Array(Type.Object({ currency: Type.String(), decimals: Count })),
  months: Type.Array(
    Type.Object({
      /** As `2026-01`. */
      month: Type.String(),
      /** Subscriptions that lasted at its beginning, that began and that ended in it. */
      before: Count,
      began: Count,
      ended: Count,
      /** Those of `before` that ended in it, per hundred; absent where there were none. */
      churnPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
      /** Invoiced less credited, without taxes, in minor units. */
      revenue: Type.Array(Type.Object({ currency: Type.String(), amount: Type.Integer() })),
    }),
  ),
});
export type RevenueReport = Static<typeof RevenueReport>;

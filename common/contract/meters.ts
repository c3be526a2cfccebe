import { BillingName, Line, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000_000 });

/** A price for what is above the tier before, up to a quantity beyond what is included; the last has no bound. */
const Tier = Type.Object(
  {
    upTo: Type.Optional(Count),
    /** Of `per`, in minor units, exactly as it stands here: `2.5` is two and a half cents. */
    price: Type.String({ pattern: '^\\d{1,9}(\\.\\d{1,12})?$' }),
  },
  closed,
);

const terms = {
  metric: BillingName,
  /** As invoices call it: `Hours watched`. */
  name: Line,
  /** In what people count it: `h`, `GB`. */
  unit: Type.String({ pattern: '^[^\\p{C}\\p{Z}]{1,12}$' }),
  /** So much of what usage records count is one unit: 60 where they count minutes and `unit` is hours. */
  per: Type.Integer({ minimum: 1, maximum: 1_000_000_000_000 }),
  /** Free in a period, as usage records count it. */
  included: Count,
  tiers: Type.Array(Tier, { minItems: 1, maxItems: 20 }),
};

/** What is charged for what was used of one thing; tiers are graduated. */
export const Meter = Type.Object(terms, closed);
export type Meter = Static<typeof Meter>;

/** What was used of one thing in a part of a period, by the terms of that part: of a half of a period a half is included. */
export const UsageLine = Type.Object({
  ...terms,
  quantity: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  /** Of what is carried from an earlier period, as it was too little to be invoiced: since when. */
  fromMs: Type.Optional(TimeMs),
  /** In minor units. */
  amount: Type.Integer({ minimum: 0, maximum: 100_000_000_000_000 }),
});
export type UsageLine = Static<typeof UsageLine>;

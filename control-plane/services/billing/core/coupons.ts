import { share } from '../../../../common/core/money.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';
import { wholePpm } from './taxes.ts';

/** What a coupon takes off an invoice: a part of it, or an amount of one currency. */
export type CouponOff =
  | { readonly kind: 'part'; readonly partPpm: number }
  | { readonly kind: 'amount'; readonly amount: number; readonly currency: string };

/** A coupon, as an operator made it. */
export interface Coupon {
  readonly id: string;
  readonly off: CouponOff;
  /** How many invoices of a subscription it is taken off; forever where there is none. */
  readonly invoices?: number;
  /** How many subscriptions may have it; as many as want where there is none. */
  readonly redemptionsMax?: number;
  /** From when on nobody may redeem it; those who have keep it. */
  readonly redeemBeforeMs?: number;
}

/** A coupon that a subscription has. */
export interface Redemption {
  readonly coupon: Coupon;
  /** How many invoices it was taken off. */
  readonly used: number;
}

/** Under what circumstances somebody wants to redeem a coupon. */
export interface RedemptionCase {
  readonly nowMs: number;
  /** How many subscriptions have redeemed it. */
  readonly redemptions: number;
  /** Of the subscription. */
  readonly currency: string;
  /** Ids of what the account has redeemed, with whatever subscription. */
  readonly had: readonly string[];
}

/** Whether a coupon may be redeemed. Refuses COUPON_NOT_REDEEMABLE, CURRENCY_MISMATCH. */
export function redeem(coupon: Coupon, context: RedemptionCase): Result<Redemption> {
  const { nowMs, redemptions, currency, had } = context;
  if (had.includes(coupon.id))
    return refused('COUPON_NOT_REDEEMABLE', `${coupon.id}: the account has had it`);
  if (coupon.redeemBeforeMs !== undefined && nowMs >= coupon.redeemBeforeMs)
    return refused('COUPON_NOT_REDEEMABLE', `${coupon.id} could be redeemed until an earlier time`);
  if (coupon.redemptionsMax !== undefined && redemptions >= coupon.redemptionsMax)
    return refused('COUPON_NOT_REDEEMABLE', `${coupon.id} was redeemed as often as it may be`);
  if (coupon.off.kind === 'amount' && coupon.off.currency !== currency)
    return refused('CURRENCY_MISMATCH', `${coupon.id} takes off ${coupon.off.currency}, not ${currency}`);
  return ok({ coupon, used: 0 });
}

/** What each coupon took off one invoice, and the redemptions after it. */
export interface Discounts {
  /** In the order of the redemptions; nothing for one that was used up before. */
  readonly amounts: readonly number[];
  readonly total: number;
  readonly redemptions: readonly Redemption[];
}

/**
 * Takes coupons off the sum of an invoice's lines, in the order in which they were redeemed, each off what the earlier ones left: never
 * more than there is. An invoice of nothing, or in another currency than an amount's, uses none up.
 */
export function takeOff(
  { amount, currency }: { amount: number; currency: string },
  held: readonly Redemption[],
): Discounts {
  let left = Math.max(0, amount);
  const amounts: number[] = [];
  const redemptions = held.map((redemption) => {
    const { coupon, used } = redemption;
    const isLeft = coupon.invoices === undefined || used < coupon.invoices;
    const off = isLeft ? Math.min(left, offOf(coupon.off, { amount: left, currency })) : 0;
    amounts.push(off);
    left -= off;
    return off === 0 ? redemption : { coupon, used: used + 1 };
  });
  return { amounts, total: amounts.reduce((sum, off) => sum + off, 0), redemptions };
}

function offOf(off: CouponOff, { amount, currency }: { amount: number; currency: string }): number {
  if (off.kind === 'part') return share(amount, off.partPpm, wholePpm);
  return off.currency === currency ? off.amount : 0;
}

import type { Meter, UsageLine } from '../../../../common/contract/meters.ts';
import { amountMax } from '../../../../common/core/money.ts';
import type { Period } from './calendar.ts';
import { priceOfPart } from './proration.ts';

type Terms = Pick<Meter, 'per' | 'included' | 'tiers'>;

/** Decimals that a price of a tier may have. */
const decimalsMax = 12;
const scale = 10n ** BigInt(decimalsMax);
/** What all that was used of one thing may cost: of twenty of them, with taxes on them, an invoice can be written. */
const meterAmountMax = amountMax / 100;

/** What is wrong with the meters of a price, for whoever puts it; undefined where nothing is. */
export function faultOfMeters(meters: readonly Meter[]): string | undefined {
  const metrics = meters.map(({ metric }) => metric);
  const twice = metrics.find((metric, index) => metrics.indexOf(metric) !== index);
  if (twice !== undefined) return `there are two of ${twice}`;
  for (const { metric, tiers } of meters) {
    const bounds = tiers.map(({ upTo }) => upTo ?? Infinity);
    if (bounds.some((bound, index) => bound <= (bounds[index - 1] ?? 0)))
      return `${metric}: each tier goes further than the one before`;
    if (bounds.at(-1) !== Infinity) return `${metric}: the last tier has no upTo`;
  }
  return undefined;
}

/**
 * What a quantity costs, in minor units: what is beyond the included part goes through the tiers, each part of it by its tier's price. All of
 * it is summed up exactly, then rounded once, a half upwards.
 */
export function meterAmount(quantity: number, { per, included, tiers }: Terms): number {
  const charged = Math.max(0, quantity - included);
  let from = 0;
  let sum = 0n;
  for (const { upTo = Infinity, price } of tiers) {
    const to = Math.min(charged, upTo);
    if (to > from) sum += BigInt(to - from) * scaled(price);
    from = Math.max(from, to);
  }
  const parts = BigInt(per) * scale;
  return Number((2n * sum + parts) / (2n * parts));
}

/** Whether a quantity costs so much, whatever is included, that no invoice could be written over it. */
export function isTooMuch(quantity: number, { per, tiers }: Terms): boolean {
  const highest = tiers
    .map(({ price }) => scaled(price))
    .reduce((one, other) => (other > one ? other : one), 0n);
  return BigInt(quantity) * highest > BigInt(meterAmountMax) * BigInt(per) * scale;
}

/**
 * The terms of a part of a period: so much of what is included, and of the tiers, as the part is of it. As differences of sums from the
 * period's beginning: what the parts of a period include sums to what the period does, however it is cut.
 */
export function termsOfPart<T extends Terms>(meter: T, whole: Period, part: Period): T {
  const tiers = meter.tiers.map(({ upTo, price }) => ({
    ...(upTo !== undefined && { upTo: priceOfPart(upTo, whole, part) }),
    price,
  }));
  return { ...meter, included: priceOfPart(meter.included, whole, part), tiers };
}

/** What stands on an invoice for what was used of one thing. */
export function usageLine(
  meter: Meter,
  quantity: number,
  { whole, part }: { whole: Period; part: Period },
): UsageLine {
  const terms = termsOfPart(meter, whole, part);
  return { ...terms, quantity, amount: meterAmount(quantity, terms) };
}

/** What was used by all of some lines. */
export function quantityOf(lines: readonly UsageLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity, 0);
}

function scaled(price: string): bigint {
  const [whole = '0', fraction = ''] = price.split('.');
  return BigInt(whole + fraction.padEnd(decimalsMax, '0'));
}

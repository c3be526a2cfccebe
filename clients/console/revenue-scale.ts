import type { RevenueReport } from '../../common/contract/usage.ts';
import { formatCount } from '../shared/format.ts';

type Month = RevenueReport['months'][number];
type Currency = RevenueReport['currencies'][number];

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** An amount of minor units for people, its thousands set apart, with all decimals of its currency. */
export function formatMoney(amount: number, { currency, decimals }: Currency): string {
  const digits = String(Math.abs(amount)).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  const whole = `${amount < 0 ? '−' : ''}${formatCount(Number(digits.slice(0, point)))}`;
  return `${whole}${decimals === 0 ? '' : `.${digits.slice(point)}`} ${currency}`;
}

/** What a month brought in a currency, in minor units. */
export function revenueIn({ revenue }: Month, currency: string): number {
  return revenue.find((one) => one.currency === currency)?.amount ?? 0;
}

/** Labels of the axis of months, for positions on it: the year where it begins; none between two months. */
export function monthLabels(months: readonly Month[], positions: readonly number[]): string[] {
  let year = '';
  return positions.map((position) => {
    const text = months[position]?.month;
    if (text === undefined) return '';
    const [of = '', number = ''] = text.split('-');
    const isNew = of !== year;
    year = of;
    const name = monthNames[Number(number) - 1] ?? '';
    return isNew ? `${name}\n${of}` : name;
  });
}

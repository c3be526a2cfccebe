import type { RevenueReport } from '../../../../common/contract/usage.ts';
import { currencyDecimals } from '../../../../common/core/currency.ts';
import { monthOf, monthsUntil } from './month.ts';

interface Counted {
  before: number;
  began: number;
  ended: number;
  /** Of those that ended, they that were there before the month. */
  lost: number;
  revenue: Map<string, number>;
}

/** Adds up how business went in the months until a moment; of what it is given it keeps the sums only. */
export class RevenueCount {
  readonly #months: ReadonlyMap<string, Counted>;

  constructor({ nowMs, months }: { nowMs: number; months: number }) {
    const none = (): Counted => ({ before: 0, began: 0, ended: 0, lost: 0, revenue: new Map() });
    this.#months = new Map(monthsUntil(nowMs, months).map((month) => [month, none()]));
  }

  /** A subscription, from when to when it lasted. */
  addSubscription({ createdAtMs, endedAtMs }: { createdAtMs: number; endedAtMs?: number | undefined }): void {
    const began = monthOf(createdAtMs);
    const ended = endedAtMs === undefined ? undefined : monthOf(endedAtMs);
    for (const [month, counted] of this.#months) {
      const wasThere = began < month && (ended === undefined || ended >= month);
      if (wasThere) counted.before++;
      if (began === month) counted.began++;
      if (ended !== month) continue;
      counted.ended++;
      if (wasThere) counted.lost++;
    }
  }

  /** An invoice, or a credit note with an amount below zero. */
  addRevenue(atMs: number, currency: string, net: number): void {
    const revenue = this.#months.get(monthOf(atMs))?.revenue;
    revenue?.set(currency, (revenue.get(currency) ?? 0) + net);
  }

  report(): RevenueReport {
    const codes = new Set([...this.#months.values()].flatMap(({ revenue }) => [...revenue.keys()]));
    return {
      currencies: [...codes]
        .sort()
        .map((currency) => ({ currency, decimals: currencyDecimals(currency) ?? 0 })),
      months: [...this.#months].map(([month, { before, began, ended, lost, revenue }]) => ({
        ...{ month, before, began, ended },
        ...(before > 0 && { churnPercent: Math.round((lost / before) * 10_000) / 100 }),
        revenue: [...revenue]
          .map(([currency, amount]) => ({ currency, amount }))
          .sort((one, other) => (one.currency < other.currency ? -1 : 1)),
      })),
    };
  }
}

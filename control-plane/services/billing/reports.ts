import { CreditNotePaper, InvoicePaper } from '../../../common/contract/billing.ts';
import { type RevenueReport } from '../../../common/contract/usage.ts';
import type { Static, TObject } from '../../../common/contract/type.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { RevenueCount } from './core/revenue-report.ts';
import { creditNoteSeries, invoiceSeries } from './invoices.ts';
import type { BillingRecords } from './records.ts';

/** How business went, counted from subscriptions, invoices and credit notes. */
export interface Reports {
  revenue(months: number): Promise<RevenueReport>;
}

/** Opens the reports. */
export function openReports({ records, clock }: { records: BillingRecords; clock: Clock }): Reports {
  const papersOf = async function* <T extends TObject>(series: string, schema: T): AsyncGenerator<Static<T>> {
    for (let after = 0; ;) {
      const page = await records.books.papers(series, { after });
      for (const { value } of page)
        yield parseAs(schema, value, { what: `a paper of ${series}`, code: 'STORE_CORRUPT' });
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.number;
    }
  };
  return {
    async revenue(months) {
      const count = new RevenueCount({ nowMs: clock.nowMs(), months });
      for await (const { value } of records.subscriptions.all()) count.addSubscription(value);
      for await (const { issuedAtMs, currency, net } of papersOf(invoiceSeries, InvoicePaper))
        count.addRevenue(issuedAtMs, currency, net);
      for await (const { issuedAtMs, currency, net } of papersOf(creditNoteSeries, CreditNotePaper))
        count.addRevenue(issuedAtMs, currency, -net);
      return count.report();
    },
  };
}

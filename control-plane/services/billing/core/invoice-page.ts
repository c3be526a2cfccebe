import type { InvoiceView } from '../../../../common/contract/billing.ts';
import type { UsageLine } from '../../../../common/contract/meters.ts';
import { amountText } from '../../../../common/core/money.ts';
import { usedText } from '../../../../common/core/quantity.ts';

/** What stands on an invoice, before it is HTML or PDF. */
export interface InvoicePage {
  readonly title: string;
  /** Who issues it, a line each. */
  readonly issuer: readonly string[];
  readonly facts: readonly (readonly [what: string, value: string])[];
  /** Amounts in their order; `isTotal` for what is summed up. */
  readonly amounts: readonly { readonly what: string; readonly amount: string; readonly isTotal: boolean }[];
}

const ppmPerPercent = 10_000;

/** Lays an invoice out; days are of the time zone. What has become of it since is not on it: it is as it was written. */
export function invoicePage(invoice: InvoiceView, timeZone: string): InvoicePage {
  const { number, account, currency, issuer, text, period, taxes, discounts, net, gross } = invoice;
  const dayOf = (atMs: number): string =>
    Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).toPlainDate().toString();
  const line = (what: string, amount: number, isTotal = false) => ({
    ...{ what, isTotal, amount: `${amountText(amount, currency)} ${currency}` },
  });
  const usageRow = (one: UsageLine) => line(`${one.name}: ${usedText(one)}`, one.amount);
  return {
    title: `Invoice ${number}`,
    issuer: issuer === undefined ? [] : [issuer.name, ...issuer.lines],
    facts: [
      ['Invoice', String(number)],
      ['Reference', invoice.id],
      ['Account', account],
      ['Date', dayOf(invoice.issuedAtMs)],
      ['To be paid until', dayOf(invoice.dueAtMs)],
      ['Period', `${dayOf(period.startMs)} to ${dayOf(period.endMs)}`],
    ],
    amounts: [
      ...(invoice.usage === undefined
        ? [line(text, invoice.amount)]
        : [{ what: `${text}: usage`, amount: '', isTotal: false }, ...invoice.usage.map(usageRow)]),
      ...discounts.map(({ coupon, amount }) => line(`Coupon ${coupon}`, -amount)),
      line('Net', net, true),
      ...taxes.map(({ name, ratePpm, amount }) => line(`${name} ${ratePpm / ppmPerPercent} %`, amount)),
      line('Total', gross, true),
      ...(invoice.creditApplied === 0 ? [] : [line('Paid from your credit', -invoice.creditApplied)]),
      line('To be paid', gross - invoice.creditApplied, true),
    ],
  };
}

const style = `body{font:14px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#111;background:#fff}
h1{font-size:1.6rem}table{border-collapse:collapse;width:100%;margin:1.5rem 0}th{text-align:left;font-weight:400}td,th{padding:.3rem 0;vertical-align:top}
td{text-align:right;font-variant-numeric:tabular-nums}.total>*{border-top:1px solid #999;font-weight:600}address{font-style:normal;text-align:right}
@media print{body{margin:0}}@page{size:A4;margin:2cm}`;

/** An invoice as a page of HTML that stands by itself and prints on A4. */
export function invoiceHtml({ title, issuer, facts, amounts }: InvoicePage): string {
  const rows = (cells: readonly (readonly [string, string, string])[]): string =>
    cells
      .map(
        ([kind, what, value]) =>
          `<tr${kind}><th scope="row">${escaped(what)}</th><td>${escaped(value)}</td></tr>`,
      )
      .join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${style}</style>
<address dir="auto">${issuer.map(escaped).join('<br>')}</address>
<h1>${escaped(title)}</h1>
<table>
${rows(facts.map(([what, value]) => ['', what, value]))}
</table>
<table>
${rows(amounts.map(({ what, amount, isTotal }) => [isTotal ? ' class="total"' : '', what, amount]))}
</table>
</html>
`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}

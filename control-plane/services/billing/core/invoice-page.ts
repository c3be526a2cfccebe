import type { CreditNotePaper, InvoiceView } from '../../../../common/contract/billing.ts';
import type { UsageLine } from '../../../../common/contract/meters.ts';
import { amountText } from '../../../../common/core/money.ts';
import { usedText } from '../../../../common/core/quantity.ts';

/** What stands on an invoice or a credit note, before it is HTML or PDF. */
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
  const { number, account, currency, text, period, discounts, net, gross } = invoice;
  const dayOf = (atMs: number): string => dayIn(timeZone, atMs);
  const line = lineIn(currency);
  const usageRow = (one: UsageLine) => line(`${one.name}: ${usedText(one)}`, one.amount);
  return {
    title: `Invoice ${number}`,
    issuer: issuerOf(invoice),
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
      ...taxLines(invoice),
      line('Total', gross, true),
      ...(invoice.creditApplied === 0 ? [] : [line('Paid from your credit', -invoice.creditApplied)]),
      line('To be paid', gross - invoice.creditApplied, true),
    ],
  };
}

/** Lays a credit note out, with the invoice that it is over: both are named on it, and who issued that. */
export function creditNotePage(
  note: CreditNotePaper,
  { invoice, timeZone }: { invoice: InvoiceView; timeZone: string },
): InvoicePage {
  const line = lineIn(note.currency);
  return {
    title: `Credit note ${note.number}`,
    issuer: issuerOf(invoice),
    facts: [
      ['Credit note', String(note.number)],
      ['Reference', note.id],
      ['Account', note.account],
      ['Date', dayIn(timeZone, note.issuedAtMs)],
      ['Over invoice', `${invoice.number} of ${dayIn(timeZone, invoice.issuedAtMs)}`],
    ],
    amounts: [
      { what: `${invoice.text}: ${note.reason}`, amount: '', isTotal: false },
      line('Net', note.net, true),
      ...taxLines(note),
      line('Total credited', note.gross, true),
    ],
  };
}

function dayIn(timeZone: string, atMs: number): string {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).toPlainDate().toString();
}

function lineIn(currency: string) {
  return (what: string, amount: number, isTotal = false) => ({
    ...{ what, isTotal, amount: `${amountText(amount, currency)} ${currency}` },
  });
}

function taxLines({ currency, taxes }: Pick<InvoiceView, 'currency' | 'taxes'>) {
  return taxes.map(({ name, ratePpm, amount }) =>
    lineIn(currency)(`${name} ${ratePpm / ppmPerPercent} %`, amount),
  );
}

function issuerOf({ issuer }: Pick<InvoiceView, 'issuer'>): string[] {
  return issuer === undefined ? [] : [issuer.name, ...issuer.lines];
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

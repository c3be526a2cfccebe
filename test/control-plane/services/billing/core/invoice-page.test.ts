import t from 'tap';

import type { CreditNotePaper, InvoiceView } from '../../../../../common/contract/billing.ts';
import {
  creditNotePage,
  invoiceHtml,
  invoicePage,
} from '../../../../../control-plane/services/billing/core/invoice-page.ts';
import { invoicePdf } from '../../../../../control-plane/services/billing/core/invoice-pdf.ts';

const invoice: InvoiceView = {
  ...{ version: 1, id: 'inv_one-0001', number: 7, account: 'usr_anna-0001', subscription: 'sub_one-0001' },
  ...{ plan: 'basic', currency: 'EUR', country: 'DE', issuedAtMs: Date.UTC(2026, 2, 31, 22, 30) },
  ...{ dueAtMs: Date.UTC(2026, 3, 7, 22, 30), text: 'Basic <b>&</b> more' },
  period: { startMs: Date.UTC(2026, 2, 31, 22, 30), endMs: Date.UTC(2026, 3, 30, 22, 30) },
  ...{ amount: 999, discounts: [{ coupon: 'half', amount: 499 }], base: 500, taxInclusive: true },
  taxes: [{ name: 'VAT', ratePpm: 190_000, amount: 80 }],
  ...{ net: 420, gross: 500, creditApplied: 100, status: 'open', paid: 0, credited: 0, open: 400 },
  issuer: { name: 'Kino GmbH', lines: ['Straße 1 “am Eck”', 'VAT DE123, 5 €'] },
};

t.test('an invoice as a page', async (t) => {
  const html = invoiceHtml(invoicePage(invoice, 'Europe/Berlin'));
  for (const wanted of [
    'Kino GmbH<br>Straße 1 “am Eck”<br>VAT DE123, 5 €',
    'Basic &lt;b&gt;&amp;&lt;/b&gt; more</th><td>9.99 EUR',
    'Coupon half</th><td>-4.99 EUR',
    'Net</th><td>4.20 EUR',
    'VAT 19 %</th><td>0.80 EUR',
    'Total</th><td>5.00 EUR',
    'Paid from your credit</th><td>-1.00 EUR',
    'To be paid</th><td>4.00 EUR',
    'Date</th><td>2026-04-01',
    'Period</th><td>2026-04-01 to 2026-05-01',
  ])
    t.ok(html.includes(wanted), wanted);
  t.notMatch(html, '<b>');
  t.match(invoiceHtml(invoicePage({ ...invoice, text: '映画プラン' }, 'Asia/Tokyo')), '映画プラン');
});

t.test('a credit note as a page names the invoice that it is over', async (t) => {
  const note: CreditNotePaper = {
    ...{ version: 1, id: 'cn_one-0001', number: 3, account: 'usr_anna-0001', subscription: 'sub_one-0001' },
    ...{ plan: 'basic', currency: 'EUR', country: 'DE', issuedAtMs: Date.UTC(2026, 3, 2, 22, 30) },
    ...{ invoice: invoice.id, base: 250, net: 210, gross: 250, reason: 'Ausfall am 1. <April>' },
    taxes: [{ name: 'VAT', ratePpm: 190_000, amount: 40 }],
  };
  const html = invoiceHtml(creditNotePage(note, { invoice, timeZone: 'Europe/Berlin' }));
  for (const wanted of [
    '<h1>Credit note 3</h1>',
    'Kino GmbH<br>Straße 1 “am Eck”<br>VAT DE123, 5 €',
    'Reference</th><td>cn_one-0001',
    'Date</th><td>2026-04-03',
    'Over invoice</th><td>7 of 2026-04-01',
    'more: Ausfall am 1. &lt;April&gt;</th><td></td>',
    'Net</th><td>2.10 EUR',
    'VAT 19 %</th><td>0.40 EUR',
    'Total credited</th><td>2.50 EUR',
  ])
    t.ok(html.includes(wanted), wanted);
});

t.test('an invoice as PDF', async (t) => {
  const made = invoicePdf(invoicePage({ ...invoice, text: 'x'.repeat(200) }, 'Europe/Berlin'));
  if (!made.ok) throw new Error(made.detail);
  const text = made.value.toString('latin1');
  t.match(text, /^%PDF-1\.4\n/);
  t.match(text, /%%EOF\n$/);
  const shown = [...text.matchAll(/<([0-9a-f]+)> Tj/g)].map(([, hex = '']) =>
    Buffer.from(hex, 'hex').toString('latin1'),
  );
  for (const wanted of [
    'Invoice 7',
    'Kino GmbH',
    'Stra\u00dfe 1 \u0093am Eck\u0094',
    'VAT DE123, 5 \u0080',
    '4.00 EUR',
  ])
    t.ok(shown.includes(wanted), wanted);
  t.equal(shown.filter((line) => /^x+$/.test(line)).join('').length, 200, 'long lines are broken');
  // Each object stands where the table says (ISO 32000-1 §7.5.4).
  const start = Number(/startxref\n(\d+)/.exec(text)?.[1]);
  t.equal(text.slice(start, start + 4), 'xref');
  const offsets = [...text.slice(start).matchAll(/^(\d{10}) 00000 n $/gm)].map(([, offset]) =>
    Number(offset),
  );
  t.equal(offsets.length, 7);
  offsets.forEach((offset, index) => {
    t.ok(text.startsWith(`${index + 1} 0 obj`, offset));
  });
  const length = Number(/\/Length (\d+)/.exec(text)?.[1]);
  const stream = text.indexOf('stream\n') + 'stream\n'.length;
  t.equal(text.slice(stream + length, stream + length + 10), '\nendstream');
  t.match(invoicePdf(invoicePage({ ...invoice, text: '映画プラン' }, 'Asia/Tokyo')), {
    ...{ ok: false, code: 'TEXT_NOT_PRINTABLE', detail: /映画プラン/ },
  });
});

t.test('what does not fit on a sheet goes on the next', async (t) => {
  const usage = Array.from({ length: 20 }, (_, index) => ({
    ...{ metric: `m-${index}`, name: `What is counted ${index} ${'x'.repeat(150)}`, unit: 'h', per: 60 },
    ...{ included: 600, quantity: 1500, tiers: [{ price: '1' }], amount: 15 },
  }));
  const made = invoicePdf(invoicePage({ ...invoice, usage }, 'Europe/Berlin'));
  if (!made.ok) throw new Error(made.detail);
  const text = made.value.toString('latin1');
  t.match(text, '/Kids [6 0 R 8 0 R 10 0 R] /Count 3');
  const heights = [...text.matchAll(/ (-?[\d.]+) Td/g)].map(([, y]) => Number(y));
  t.ok(heights.every((y) => y >= 56 && y <= 842 - 56));
  t.match(text, Buffer.from('What is counted 19').toString('hex'));
  t.match(text, Buffer.from('To be paid').toString('hex'));
});

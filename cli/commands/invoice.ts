import { Command } from 'commander';

import {
  CreditNotePaper,
  InvoiceList,
  InvoiceView,
  PaymentList,
  PaymentView,
} from '../../common/contract/billing.ts';
import { amountText, parseAmount } from '../../common/core/money.ts';
import { valueOf } from '../../common/runtime/errors.ts';
import { allPages, keyOption, moneyText, move, printRows, queryOf, readMoney, timeText } from '../money.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const csvText = 'print CSV instead of tables';

/** `nearcast invoice list|show|credit`. */
export function invoiceCommand(shell: CommandShell): Command {
  const command = new Command('invoice').description('invoices and credit notes: list, show, credit');
  command
    .command('list')
    .description('all invoices, by number')
    .option('--account <id>', 'those of one account')
    .option('--csv', csvText)
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/invoices${queryOf({ account })}`;
        const items = (page: InvoiceList) => page.invoices;
        printInvoices(output, await allPages(api, { path, reply: InvoiceList, items }), csv);
      }),
    );
  command
    .command('show <id>')
    .description('one invoice')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/invoices/${encodeURIComponent(id)}`;
        const invoice = await api.call({ path, reply: InvoiceView });
        output.facts(invoice, () => {
          output.table({ head: ['', ''], rows: invoiceFacts(invoice), empty: '' });
        });
      }),
    );
  command
    .command('credit <id>')
    .description("write a credit note; what was paid goes to the account's credit")
    .requiredOption('--reason <text>', 'what it says')
    .option('--amount <amount>', "of the invoice's currency, like 5.00 (all that is left)")
    .addOption(keyOption())
    .action((id: string, options: { reason: string; amount?: string; idempotencyKey?: string }) =>
      shell.act(async ({ api, output }) => {
        const { reason, amount, idempotencyKey: key } = options;
        const path = `/v1/invoices/${encodeURIComponent(id)}`;
        const { currency } = await api.call({ path, reply: InvoiceView });
        const part =
          amount === undefined ? {} : { amount: valueOf(parseAmount(amount, currency), '--amount') };
        const body = { reason, ...part };
        const note = await move(api, { path: `${path}/credit`, body, reply: CreditNotePaper, key });
        output.facts(note, () => {
          output.line(`Credit note ${note.number} over ${moneyText(note.gross, currency)} is written.`);
        });
      }),
    );
  return command;
}

function printInvoices(output: Output, invoices: readonly InvoiceView[], csv?: boolean): void {
  printRows(output, invoices, {
    head: [
      'number',
      'id',
      'account',
      'issued',
      'currency',
      'net',
      'taxes',
      'gross',
      'credited',
      'open',
      'status',
    ],
    rows: invoices.map(
      ({ number, id, account, issuedAtMs, currency, net, gross, credited, open, status }) => [
        ...[String(number), id, account, timeText(issuedAtMs), currency],
        ...[net, gross - net, gross, credited, open].map((amount) => amountText(amount, currency)),
        status,
      ],
    ),
    empty: 'No invoices.',
    csv,
  });
}

function invoiceFacts(invoice: InvoiceView): string[][] {
  const { currency } = invoice;
  const money = (amount: number) => moneyText(amount, currency);
  return [
    ['id', invoice.id],
    ['number', String(invoice.number)],
    ['account', invoice.account],
    ['subscription', invoice.subscription],
    ['issued', timeText(invoice.issuedAtMs)],
    ['to be paid until', timeText(invoice.dueAtMs)],
    ['for', `${invoice.text}, ${timeText(invoice.period.startMs)} to ${timeText(invoice.period.endMs)}`],
    ['amount', money(invoice.amount)],
    ...invoice.discounts.map(({ coupon, amount }) => [`coupon ${coupon}`, money(-amount)]),
    ['net', money(invoice.net)],
    ...invoice.taxes.map(({ name, ratePpm, amount }) => [`${name} ${ratePpm / 10_000} %`, money(amount)]),
    ['gross', money(invoice.gross)],
    ['credit used', money(invoice.creditApplied)],
    ['paid', money(invoice.paid)],
    ['credited', money(invoice.credited)],
    ['open', money(invoice.open)],
    ['status', invoice.status],
  ];
}

interface MoneyOptions {
  reference: string;
  idempotencyKey?: string;
}

/** `nearcast payment add|refund|list`. */
export function paymentCommand(shell: CommandShell): Command {
  const command = new Command('payment').description('money that came and went: add, refund, list');
  command
    .command('add <invoice> <amount>')
    .description('record money that came for an invoice, like 9.99EUR')
    .requiredOption('--reference <text>', 'what the bank says of it')
    .addOption(keyOption())
    .action((invoice: string, text: string, { reference, idempotencyKey: key }: MoneyOptions) =>
      shell.act(async ({ api, output }) => {
        const body = { invoice, ...readMoney(text), reference };
        printPayments(output, [await move(api, { path: '/v1/payments', body, reply: PaymentView, key })]);
      }),
    );
  command
    .command('refund <account> <amount>')
    .description("record money that was given back of an account's credit")
    .requiredOption('--reference <text>', 'what the bank says of it')
    .addOption(keyOption())
    .action((account: string, text: string, { reference, idempotencyKey: key }: MoneyOptions) =>
      shell.act(async ({ api, output }) => {
        const body = { account, ...readMoney(text), reference };
        printPayments(output, [
          await move(api, { path: '/v1/payments/refund', body, reply: PaymentView, key }),
        ]);
      }),
    );
  command
    .command('list')
    .description('payments and refunds')
    .option('--csv', csvText)
    .action(({ csv }: { csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const items = (page: PaymentList) => page.payments;
        printPayments(output, await allPages(api, { path: '/v1/payments', reply: PaymentList, items }), csv);
      }),
    );
  return command;
}

function printPayments(output: Output, payments: readonly PaymentView[], csv?: boolean): void {
  printRows(output, payments, {
    head: ['id', 'kind', 'at', 'account', 'invoice', 'currency', 'amount', 'reference'],
    rows: payments.map(({ id, kind, atMs, account, invoice, currency, amount, reference }) => [
      ...[id, kind, timeText(atMs), account, invoice ?? '–', currency],
      amountText(kind === 'payment' ? amount : -amount, currency),
      reference,
    ]),
    empty: 'No payments.',
    csv,
  });
}

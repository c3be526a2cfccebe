import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Command } from 'commander';

import { CreditNoteList, CreditNotePaper, InvoiceList, InvoiceView } from '../../common/contract/billing.ts';
import { amountText, parseAmount } from '../../common/core/money.ts';
import { valueOf } from '../../common/runtime/errors.ts';
import { allPages, keyOption, moneyText, move, printRows, queryOf, timeText, usageText } from '../money.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const csvText = 'print CSV instead of tables';

/** `nearcast invoice list|show|usage|save|credit|credit-notes`. */
export function invoiceCommand(shell: CommandShell): Command {
  const command = new Command('invoice').description(
    'invoices and credit notes: list, show, usage, save, credit, credit-notes',
  );
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
    .command('save <id> <file>')
    .description(
      'write an invoice or a credit note to a file, as PDF or, where its name ends in .html, as a page',
    )
    .action((id: string, file: string) =>
      shell.act(async ({ api, output }) => {
        const kind = file.endsWith('.html') ? 'page' : 'pdf';
        const papers = id.startsWith('cn_') ? 'invoices/credit-notes' : 'invoices';
        const stream = await api.stream(`/v1/${papers}/${encodeURIComponent(id)}/${kind}`);
        await writeFile(file, Readable.fromWeb(stream));
        output.facts({ id, file }, () => {
          output.line(`It is in ${file}.`);
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
  creditNotesCommand(command, shell);
  usageCommand(command, shell);
  return command;
}

function creditNotesCommand(command: Command, shell: CommandShell): void {
  command
    .command('credit-notes')
    .description('all credit notes, by number')
    .option('--account <id>', 'those of one account')
    .option('--csv', csvText)
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/invoices/credit-notes${queryOf({ account })}`;
        const items = (page: CreditNoteList) => page.creditNotes;
        const notes = await allPages(api, { path, reply: CreditNoteList, items });
        const head = ['number', 'id', 'invoice', 'account', 'place', 'issued', 'currency'];
        printRows(output, notes, {
          head: [...head, 'net', 'taxes', 'gross', 'reason'],
          rows: notes.map(({ number, id, invoice, net, gross, currency, reason, ...note }) => [
            ...[
              String(number),
              id,
              invoice,
              note.account,
              placeText(note),
              timeText(note.issuedAtMs),
              currency,
            ],
            ...[net, gross - net, gross].map((amount) => amountText(amount, currency)),
            reason,
          ]),
          empty: 'No credit notes.',
          csv,
        });
      }),
    );
}

/** Where taxes are of: `DE`, `CA-QC`. */
function placeText({ country, region }: Pick<CreditNotePaper, 'country' | 'region'>): string {
  return region === undefined ? country : `${country}-${region}`;
}

function usageCommand(command: Command, shell: CommandShell): void {
  command
    .command('usage')
    .description('what invoices of usage are the sums of, by number')
    .option('--account <id>', 'those of one account')
    .option('--csv', csvText)
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/invoices${queryOf({ account })}`;
        const items = ({ invoices }: InvoiceList) =>
          invoices.flatMap(({ usage = [], ...invoice }) => usage.map((line) => ({ ...line, invoice })));
        const lines = await allPages(api, { path, reply: InvoiceList, items });
        printRows(output, lines, {
          head: [
            'number',
            'account',
            'from',
            'until',
            'metric',
            'quantity',
            'included',
            'currency',
            'amount',
          ],
          rows: lines.map(({ metric, quantity, included, amount, invoice }) => [
            ...[String(invoice.number), invoice.account],
            ...[timeText(invoice.period.startMs), timeText(invoice.period.endMs)],
            ...[metric, String(quantity), String(included)],
            ...[invoice.currency, amountText(amount, invoice.currency)],
          ]),
          empty: 'No usage was invoiced.',
          csv,
        });
      }),
    );
}

function printInvoices(output: Output, invoices: readonly InvoiceView[], csv?: boolean): void {
  printRows(output, invoices, {
    head: [
      'number',
      'id',
      'account',
      'place',
      'issued',
      'currency',
      'net',
      'taxes',
      'gross',
      'credited',
      'open',
      'status',
      'of',
    ],
    rows: invoices.map(
      ({
        number,
        id,
        account,
        issuedAtMs,
        currency,
        net,
        gross,
        credited,
        open,
        status,
        usage,
        ...place
      }) => [
        ...[String(number), id, account, placeText(place), timeText(issuedAtMs), currency],
        ...[net, gross - net, gross, credited, open].map((amount) => amountText(amount, currency)),
        ...[status, usage === undefined ? 'period' : 'usage'],
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
    ...(invoice.usage ?? []).map((line) => [line.name, usageText(line, currency)]),
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

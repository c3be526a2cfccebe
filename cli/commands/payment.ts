import { Command } from 'commander';

import {
  CollectionList,
  CollectionView,
  PaymentList,
  PaymentMethodPage,
  PaymentMethodView,
  PaymentView,
} from '../../common/contract/billing.ts';
import { DisputeList, type DisputeView } from '../../common/contract/disputes.ts';
import { amountText } from '../../common/core/money.ts';
import { allPages, keyOption, move, printRows, queryOf, readMoney, timeText } from '../money.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const csvText = 'print CSV instead of tables';

interface MoneyOptions {
  reference: string;
  idempotencyKey?: string;
}

/** `nearcast payment add|refund|list|due|retry|method|disputes`. */
export function paymentCommand(shell: CommandShell): Command {
  const command = new Command('payment').description(
    'money that came and went: add, refund, list; by the payment provider: due, retry, method, disputes',
  );
  handCommands(command, shell);
  providerCommands(command, shell);
  disputesCommand(command, shell);
  return command;
}

function handCommands(command: Command, shell: CommandShell): void {
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
    .description("give an account's credit back, or record that it was")
    .requiredOption('--reference <text>', 'what the bank says of it')
    .option('--payment <id>', "the provider's payment that it goes back by; else it was given back by hand")
    .addOption(keyOption())
    .action((account: string, text: string, options: MoneyOptions & { payment?: string }) =>
      shell.act(async ({ api, output }) => {
        const { reference, payment, idempotencyKey: key } = options;
        const body = { account, ...readMoney(text), reference, ...(payment !== undefined && { payment }) };
        printPayments(output, [
          await move(api, { path: '/v1/payments/refund', body, reply: PaymentView, key }),
        ]);
      }),
    );
  command
    .command('list')
    .description('payments and refunds')
    .option('--account <id>', 'those of one account')
    .option('--csv', csvText)
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/payments${queryOf({ account })}`;
        const items = (page: PaymentList) => page.payments;
        printPayments(output, await allPages(api, { path, reply: PaymentList, items }), csv);
      }),
    );
}

function providerCommands(command: Command, shell: CommandShell): void {
  command
    .command('due')
    .description('invoices that the payment provider collects, and how it gets on')
    .option('--csv', csvText)
    .action(({ csv }: { csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const items = (page: CollectionList) => page.collections;
        const call = { path: '/v1/collections', reply: CollectionList, items };
        printCollections(output, await allPages(api, call), csv);
      }),
    );
  command
    .command('retry <invoice>')
    .description('try at once to have an invoice paid by the provider')
    .addOption(keyOption())
    .action((invoice: string, { idempotencyKey: key }: MoneyOptions) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/collections/${encodeURIComponent(invoice)}/retry`;
        printCollections(output, [await move(api, { path, body: {}, reply: CollectionView, key })]);
      }),
    );
  command
    .command('method <account>')
    .description('whether its invoices are paid by themselves; with --return-url a page to say how')
    .option('--return-url <url>', 'where the page leads back to')
    .action((account: string, { returnUrl }: { returnUrl?: string }) =>
      shell.act(async ({ api, output }) => {
        const path = '/v1/payment-methods';
        if (returnUrl !== undefined) {
          const body = { account, returnUrl };
          const page = await api.call({ method: 'POST', path, body, reply: PaymentMethodPage });
          output.facts(page, () => {
            output.line(page.url);
          });
          return;
        }
        const view = await api.call({ path: `${path}${queryOf({ account })}`, reply: PaymentMethodView });
        output.facts(view, () => {
          const by = view.provider ?? 'nobody: no payment provider is configured';
          output.line(view.hasMethod ? `Its invoices are paid by ${by}.` : 'Its invoices are paid by hand.');
        });
      }),
    );
}

function disputesCommand(command: Command, shell: CommandShell): void {
  command
    .command('disputes')
    .description('payments that holders of cards have their banks take back')
    .option('--csv', csvText)
    .action(({ csv }: { csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const items = (page: DisputeList): (Omit<DisputeView, 'state'> & { about: string })[] => [
          ...page.disputes.map((one) => ({ ...one, about: one.state })),
          ...page.waiting.map((one) => ({ ...one, about: `${one.state}, waits for its payment` })),
        ];
        const all = await allPages(api, { path: '/v1/payments/disputes', reply: DisputeList, items });
        printRows(output, all, {
          head: ['dispute', 'payment', 'currency', 'amount', 'state'],
          rows: all.map(({ dispute, payment, currency, amount, about }) => [
            ...[dispute, payment, currency, amountText(amount, currency), about],
          ]),
          empty: 'No payment is disputed.',
          csv,
        });
      }),
    );
}

function printCollections(output: Output, collections: readonly CollectionView[], csv?: boolean): void {
  printRows(output, collections, {
    head: ['invoice', 'account', 'state', 'failed', 'next', 'reason'],
    rows: collections.map(({ invoice, account, state, attempt, nextAtMs, reason = '–' }) => [
      ...[invoice, account, state, String(attempt)],
      ...[nextAtMs === undefined ? '–' : timeText(nextAtMs), reason],
    ]),
    empty: 'The provider collects nothing.',
    csv,
  });
}

function printPayments(output: Output, payments: readonly PaymentView[], csv?: boolean): void {
  printRows(output, payments, {
    head: ['id', 'kind', 'at', 'account', 'invoice', 'by', 'currency', 'amount', 'state', 'reference'],
    rows: payments.map(({ id, kind, atMs, account, invoice, provider, currency, amount, ...rest }) => [
      ...[id, kind, timeText(atMs), account, invoice ?? '–', provider ?? 'hand', currency],
      amountText(kind === 'payment' ? amount : -amount, currency),
      ...[rest.state ?? (rest.disputed === undefined ? 'done' : 'disputed'), rest.reference],
    ]),
    empty: 'No payments.',
    csv,
  });
}

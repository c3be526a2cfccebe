import { Command } from 'commander';

import { LedgerBalanceList, LedgerTransactionList } from '../../common/contract/billing.ts';
import { amountText } from '../../common/core/money.ts';
import { allPages, printRows, queryOf, timeText } from '../money.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast ledger balances|transactions`: what is above zero an account has (debit), what is below it owes or gave (credit). */
export function ledgerCommand(shell: CommandShell): Command {
  const command = new Command('ledger').description('the double-entry ledger: balances, transactions');
  command
    .command('balances')
    .description('what its accounts have')
    .option('--account <name>', 'of one account, like receivable:usr_…')
    .option('--csv', 'print CSV instead of tables')
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/ledger/balances${queryOf({ account })}`;
        const items = (page: LedgerBalanceList) => page.balances;
        const balances = await allPages(api, { path, reply: LedgerBalanceList, items });
        printRows(output, balances, {
          head: ['account', 'currency', 'balance'],
          rows: balances.map(({ account: name, currency, amount }) => [
            name,
            currency,
            amountText(amount, currency),
          ]),
          empty: 'Nothing is in the ledger.',
          csv,
        });
      }),
    );
  command
    .command('transactions')
    .description('its transactions in their order, an entry a row')
    .option('--account <name>', 'those with an entry of one account')
    .option('--csv', 'print CSV instead of tables')
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/ledger/transactions${queryOf({ account })}`;
        const items = (page: LedgerTransactionList) => page.transactions;
        const transactions = await allPages(api, { path, reply: LedgerTransactionList, items });
        printRows(output, transactions, {
          head: ['sequence', 'at', 'transaction', 'memo', 'account', 'currency', 'amount'],
          rows: transactions.flatMap(({ sequence, atMs, id, memo, entries }) =>
            entries.map(({ account: name, currency, amount }) => [
              ...[String(sequence), timeText(atMs), id, memo, name, currency, amountText(amount, currency)],
            ]),
          ),
          empty: 'Nothing is in the ledger.',
          csv,
        });
      }),
    );
  return command;
}

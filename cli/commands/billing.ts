import { Command } from 'commander';

import { BooksProofView, Issuer } from '../../common/contract/billing.ts';
import { RevenueReport, UsageSums } from '../../common/contract/usage.ts';
import { amountText } from '../../common/core/money.ts';
import { coded } from '../../common/runtime/errors.ts';
import { allPages, moneyText, printRows, queryOf } from '../money.ts';
import { csvOf } from '../output/csv.ts';
import type { CommandShell } from '../shell.ts';

/** The books of many years take their time. */
const verifyTimeoutMs = 600_000;
const barLength = 40;

/** `nearcast billing verify|report|usage|issuer`. */
export function billingCommand(shell: CommandShell): Command {
  const command = new Command('billing').description(
    'billing as a whole: verify the books, report revenue, show usage, say who issues invoices',
  );
  verifyCommand(command, shell);
  reportCommand(command, shell);
  usageCommand(command, shell);
  issuerCommand(command, shell);
  return command;
}

function verifyCommand(command: Command, shell: CommandShell): void {
  command
    .command('verify')
    .description(
      'count the books again: every sum, number and hash, usage on invoices, and the guards of the database; fails where one is wrong',
    )
    .action(() =>
      shell.act(async ({ api, output }) => {
        const path = '/v1/ledger/verify';
        const proof = await api.call({ path, reply: BooksProofView, timeoutMs: verifyTimeoutMs });
        const { transactions, entries, balances, papers, faults } = proof;
        output.facts(proof, () => {
          output.line(
            `${transactions} transactions of ${entries} entries, ${balances} balances, ${papers} invoices and credit notes`,
          );
          for (const fault of faults) output.line(fault);
        });
        if (faults.length > 0)
          throw coded(
            'STORE_CORRUPT',
            `the books have ${faults.length} faults; take a backup before anything else`,
          );
      }),
    );
}

function reportCommand(command: Command, shell: CommandShell): void {
  command
    .command('report')
    .description('revenue by currency, and who came and went, by calendar month (UTC)')
    .option('--months <count>', 'so many, the current one included', '12')
    .option('--csv', 'print CSV instead of tables')
    .action(({ months, csv }: { months: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/reports/revenue${queryOf({ months })}`;
        const report = await api.call({ path, reply: RevenueReport, timeoutMs: verifyTimeoutMs });
        if (csv === true) {
          output.raw(csvOf(reportTable(report)));
          return;
        }
        output.facts(report, () => {
          output.table(reportTable(report));
          for (const line of revenuePlot(report)) output.line(line);
        });
      }),
    );
}

function reportTable(report: RevenueReport) {
  const { months } = report;
  const currencies = report.currencies.map(({ currency }) => currency);
  return {
    head: ['month', 'before', 'began', 'ended', 'churn %', ...currencies],
    rows: months.map(({ month, before, began, ended, churnPercent, revenue }) => [
      ...[month, String(before), String(began), String(ended), churnPercent?.toFixed(2) ?? '–'],
      ...currencies.map((currency) =>
        amountText(revenue.find((one) => one.currency === currency)?.amount ?? 0, currency),
      ),
    ]),
    empty: 'No months.',
  };
}

/** A bar for each month and currency, as long as its part of the best month's revenue. */
function revenuePlot(report: RevenueReport): string[] {
  const { months, currencies } = report;
  return currencies.flatMap(({ currency }) => {
    const amounts = months.map(
      ({ revenue }) => revenue.find((one) => one.currency === currency)?.amount ?? 0,
    );
    const most = Math.max(1, ...amounts);
    const bars = months.map(({ month }, index) => {
      const amount = amounts[index] ?? 0;
      const bar = '█'.repeat(Math.max(0, Math.round((amount / most) * barLength)));
      return `${month} ${bar.padEnd(barLength)} ${moneyText(amount, currency)}`;
    });
    return ['', `Revenue in ${currency}`, ...bars];
  });
}

function usageCommand(command: Command, shell: CommandShell): void {
  command
    .command('usage')
    .description('what accounts have used, by month and metric')
    .option('--account <id>', 'that of one account')
    .option('--csv', 'print CSV instead of tables')
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const items = (page: UsageSums) => page.sums;
        const path = `/v1/usage${queryOf({ account })}`;
        const sums = await allPages(api, { path, reply: UsageSums, items });
        printRows(output, sums, {
          head: ['account', 'month', 'metric', 'quantity'],
          rows: sums.map(({ account: of, month, metric, quantity }) => [of, month, metric, String(quantity)]),
          empty: 'Nothing was counted.',
          csv,
        });
      }),
    );
}

function issuerCommand(command: Command, shell: CommandShell): void {
  command
    .command('issuer')
    .description('who issues invoices, as it stands on those that come')
    .option('--name <name>', 'say who')
    .option('--line <text...>', 'address, tax number, register: a line each')
    .action(({ name, line: lines = [] }: { name?: string; line?: string[] }) =>
      shell.act(async ({ api, output }) => {
        const path = '/v1/issuer';
        if (name === undefined && lines.length > 0) throw coded('INVALID', '--line needs --name');
        const put = name === undefined ? {} : { method: 'PUT' as const, body: { name, lines } };
        const issuer = await api.call({ path, ...put, reply: Issuer });
        output.facts(issuer, () => {
          for (const text of [issuer.name, ...issuer.lines]) output.line(text);
        });
      }),
    );
}

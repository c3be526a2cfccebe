import { Command } from 'commander';

import { SubscriptionList, SubscriptionView } from '../../common/contract/billing.ts';
import { allPages, keyOption, move, printRows, queryOf, timeText } from '../money.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { priceText } from './plan.ts';

/** `nearcast subscription add|list|show|change|pause|resume|cancel`. */
export function subscriptionCommand(shell: CommandShell): Command {
  const command = new Command('subscription').description(
    'who has subscribed to what: add, list, show, change, pause, resume, cancel',
  );
  addCommand(command, shell);
  readCommands(command, shell);
  changeCommands(command, shell);
  return command;
}

interface AddOptions {
  currency: string;
  country: string;
  region?: string;
  timeZone: string;
  by?: string;
  coupon?: string;
  idempotencyKey?: string;
}

function addCommand(command: Command, shell: CommandShell): void {
  command
    .command('add <account> <plan>')
    .description('subscribe an account: a trial where it has had none, else the first invoice')
    .requiredOption('--currency <code>', 'in which it pays')
    .requiredOption('--country <code>', 'where it is taxed')
    .option('--region <code>', 'of the country, where that has taxes of its own')
    .requiredOption('--time-zone <name>', 'whose calendar counts its periods, like Europe/Berlin')
    .option('--by <unit>', 'week, month or year, where the plan has several prices')
    .option('--coupon <id>', 'what is taken off its invoices')
    .addOption(keyOption())
    .action((account: string, plan: string, options: AddOptions) =>
      shell.act(async ({ api, output }) => {
        const { currency, country, region, timeZone, by, coupon, idempotencyKey: key } = options;
        const body = {
          ...{ account, plan, currency, country, timeZone },
          ...(region !== undefined && { region }),
          ...(by !== undefined && { unit: by }),
          ...(coupon !== undefined && { coupon }),
        };
        const reply = await move(api, { path: '/v1/subscriptions', body, reply: SubscriptionView, key });
        printSubscriptions(output, [reply]);
      }),
    );
}

function readCommands(command: Command, shell: CommandShell): void {
  command
    .command('list')
    .description('all subscriptions')
    .option('--account <id>', 'those of one account')
    .option('--csv', 'print CSV instead of tables')
    .action(({ account, csv }: { account?: string; csv?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/subscriptions${queryOf({ account })}`;
        const items = (page: SubscriptionList) => page.subscriptions;
        printSubscriptions(output, await allPages(api, { path, reply: SubscriptionList, items }), csv);
      }),
    );
  command
    .command('show <id>')
    .description('one subscription')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/subscriptions/${encodeURIComponent(id)}`;
        printSubscriptions(output, [await api.call({ path, reply: SubscriptionView })]);
      }),
    );
}

interface ChangeOptions {
  by?: string;
  atPeriodEnd?: true;
  now?: true;
  idempotencyKey?: string;
}

function changeCommands(command: Command, shell: CommandShell): void {
  const act = (verb: string, body: unknown) => (id: string, key: string | undefined) =>
    shell.act(async ({ api, output }) => {
      const path = `/v1/subscriptions/${encodeURIComponent(id)}/${verb}`;
      printSubscriptions(output, [await move(api, { path, body, reply: SubscriptionView, key })]);
    });
  command
    .command('change <id> <plan>')
    .description('another plan or interval: what is unused is credited, the rest of the period charged')
    .option('--by <unit>', 'week, month or year (as now)')
    .option('--at-period-end', 'not before the period ends')
    .addOption(keyOption())
    .action((id: string, plan: string, { by, atPeriodEnd, idempotencyKey }: ChangeOptions) => {
      const when = atPeriodEnd === true ? 'period-end' : 'now';
      return act('plan', { plan, when, ...(by !== undefined && { unit: by }) })(id, idempotencyKey);
    });
  command
    .command('pause <id>')
    .description('pause it; what is unused of its period is credited')
    .addOption(keyOption())
    .action((id: string, { idempotencyKey }: ChangeOptions) => act('pause', {})(id, idempotencyKey));
  command
    .command('resume <id>')
    .description('go on with a new period, or take back what would happen at the end of this one')
    .addOption(keyOption())
    .action((id: string, { idempotencyKey }: ChangeOptions) => act('resume', {})(id, idempotencyKey));
  command
    .command('cancel <id>')
    .description('end it with its period')
    .option('--now', 'end it at once, and credit what is unused')
    .addOption(keyOption())
    .action((id: string, { now, idempotencyKey }: ChangeOptions) =>
      act('cancel', { when: now === true ? 'now' : 'period-end' })(id, idempotencyKey),
    );
}

function printSubscriptions(output: Output, subscriptions: readonly SubscriptionView[], csv?: boolean): void {
  printRows(output, subscriptions, {
    head: ['id', 'account', 'plan', 'price', 'state', 'period ends', 'then', 'unpaid', 'since'],
    rows: subscriptions.map(({ id, account, plan, price, state, period, next, unpaid, createdAtMs }) => [
      ...[id, account, plan, priceText(price), state.replace('_', ' '), timeText(period.endMs)],
      next === undefined ? '–' : next.kind === 'cancel' ? 'ends' : `${next.plan}, ${priceText(next.price)}`,
      ...[String(unpaid.length), timeText(createdAtMs)],
    ]),
    empty: 'No subscriptions.',
    csv,
  });
}

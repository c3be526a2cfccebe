import { Command } from 'commander';

import { SubscriptionList, SubscriptionView } from '../../common/contract/billing.ts';
import { PaidPlanChangeReply, SignUpReply } from '../../common/contract/procedures.ts';
import { UsageDue } from '../../common/contract/usage.ts';
import { coded } from '../../common/runtime/errors.ts';
import { allPages, keyOption, move, printRows, queryOf, timeText, usageText } from '../money.ts';
import type { Output } from '../output/output.ts';
import { readPassword } from '../read-password.ts';
import type { CommandShell } from '../shell.ts';
import { priceText } from './plan.ts';

/** `nearcast subscription add|sign-up|list|show|usage|change|pause|resume|cancel`. */
export function subscriptionCommand(shell: CommandShell): Command {
  const command = new Command('subscription').description(
    'who has subscribed to what: add, sign-up, list, show, usage, change, pause, resume, cancel',
  );
  addCommand(command, shell);
  signUpCommand(command, shell);
  readCommands(command, shell);
  usageCommand(command, shell);
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

function termsOf({ currency, country, region, timeZone, by, coupon }: AddOptions) {
  return {
    ...{ currency, country, timeZone },
    ...(region !== undefined && { region }),
    ...(by !== undefined && { unit: by }),
    ...(coupon !== undefined && { coupon }),
  };
}

/** What a new subscription is asked for with. */
function withTerms(command: Command): Command {
  return command
    .requiredOption('--currency <code>', 'in which it pays')
    .requiredOption('--country <code>', 'where it is taxed')
    .option('--region <code>', 'of the country, where that has taxes of its own')
    .requiredOption('--time-zone <name>', 'whose calendar counts its periods, like Europe/Berlin')
    .option('--by <unit>', 'week, month or year, where the plan has several prices')
    .option('--coupon <id>', 'what is taken off its invoices')
    .addOption(keyOption());
}

function addCommand(command: Command, shell: CommandShell): void {
  withTerms(command.command('add <account> <plan>'))
    .description('subscribe an account: a trial where it has had none, else the first invoice')
    .action((account: string, plan: string, options: AddOptions) =>
      shell.act(async ({ api, output }) => {
        const body = { account, plan, ...termsOf(options) };
        const call = { path: '/v1/subscriptions', body, reply: SubscriptionView };
        printSubscriptions(output, [await move(api, { ...call, key: options.idempotencyKey })]);
      }),
    );
}

interface SignUpOptions extends AddOptions {
  name: string;
  profile?: string;
  passwordFile?: string;
}

function signUpCommand(command: Command, shell: CommandShell): void {
  withTerms(command.command('sign-up <email> <plan>'))
    .description('sign a household up: account, profile and subscription, all of it or nothing')
    .requiredOption('--name <name>', "the person's name")
    .option('--profile <name>', 'how the first profile is called (as the person)')
    .option('--password-file <file>', 'where the password stands; - for standard input')
    .action((email: string, plan: string, options: SignUpOptions) =>
      shell.act(async ({ api, output, signal }) => {
        const { name, profile, passwordFile, idempotencyKey: key } = options;
        const password = await readPassword(passwordFile, signal);
        const person = { email, name, password, ...(profile !== undefined && { profile }) };
        const body = { ...person, plan, ...termsOf(options) };
        const { subscription } = await move(api, { path: '/v1/sign-ups', body, reply: SignUpReply, key });
        const path = `/v1/subscriptions/${encodeURIComponent(subscription)}`;
        printSubscriptions(output, [await api.call({ path, reply: SubscriptionView })]);
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

function usageCommand(command: Command, shell: CommandShell): void {
  command
    .command('usage <id>')
    .description('what it has used and is not invoiced yet, as it will be at the end of its period')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/subscriptions/${encodeURIComponent(id)}/usage`;
        const due = await api.call({ path, reply: UsageDue });
        printRows(output, due, {
          head: ['', ''],
          rows: due.lines.map((line) => [line.name, usageText(line, due.currency)]),
          empty: 'Nothing that is charged was used.',
        });
      }),
    );
}

interface ChangeOptions {
  by?: string;
  atPeriodEnd?: true;
  paid?: true;
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
    .option('--paid', 'only if what it costs now can be taken by the payment provider')
    .addOption(keyOption())
    .action((id: string, plan: string, { by, atPeriodEnd, paid, idempotencyKey }: ChangeOptions) => {
      if (paid === true && atPeriodEnd === true)
        throw coded('INVALID', '--paid is for a change at once, not --at-period-end');
      if (paid === true) return payForPlan(shell, { id, plan, by, key: idempotencyKey });
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

function payForPlan(
  shell: CommandShell,
  { id, plan, by, key }: { id: string; plan: string; by: string | undefined; key: string | undefined },
): Promise<void> {
  return shell.act(async ({ api, output }) => {
    const path = `/v1/subscriptions/${encodeURIComponent(id)}`;
    const body = { plan, ...(by !== undefined && { unit: by }) };
    await move(api, { path: `${path}/paid-plan`, body, reply: PaidPlanChangeReply, key });
    printSubscriptions(output, [await api.call({ path, reply: SubscriptionView })]);
  });
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

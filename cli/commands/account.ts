import { Command, Option } from 'commander';

import {
  AccountExport,
  AccountList,
  AccountView,
  type AccountPatch,
  type AccountRole,
} from '../../common/contract/accounts.ts';
import { Type } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Api } from '../api.ts';
import type { Output } from '../output/output.ts';
import { readPassword } from '../read-password.ts';
import type { CommandShell } from '../shell.ts';

const roles: readonly AccountRole[] = ['admin', 'operator', 'partner', 'viewer'];
const pageLength = 1000;

/** `nearcast account first|add|list|set|export|remove|totp|passkeys`: the people who may sign in. */
export function accountCommand(shell: CommandShell): Command {
  const command = new Command('account').description(
    'people who may sign in: add, list, change, export, remove, reset codes and passkeys',
  );
  firstCommand(command, shell);
  addCommand(command, shell);
  listCommand(command, shell);
  setCommand(command, shell);
  exportCommand(command, shell);
  removeCommand(command, shell);
  resetCommands(command, shell);
  return command;
}

function roleOption(): Option {
  return new Option('--role <role>', 'what the person may do').choices(roles);
}

function firstCommand(command: Command, shell: CommandShell): void {
  command
    .command('first <email>')
    .description('make the first admin with the code that the control plane printed at its start')
    .requiredOption('--code <code>', 'the code')
    .requiredOption('--name <name>', "the person's name")
    .option('--password-file <file>', 'where the password stands; - for standard input')
    .action((email: string, options: { code: string; name: string; passwordFile?: string }) =>
      shell.actAnonymously(async ({ api, output, signal }) => {
        const { code, name } = options;
        const password = await readPassword(options.passwordFile, signal);
        const body = { code, email, name, password };
        const account = await api.call({
          ...{ method: 'POST', path: '/v1/accounts/first', body, reply: AccountView },
        });
        printAccounts(output, [account]);
      }),
    );
}

function addCommand(command: Command, shell: CommandShell): void {
  command
    .command('add <email>')
    .description('add a person')
    .requiredOption('--name <name>', "the person's name")
    .addOption(roleOption().makeOptionMandatory())
    .option('--site <site...>', 'what a partner sees')
    .option('--password-file <file>', 'where the password stands; - for standard input')
    .action(
      (email: string, options: { name: string; role: AccountRole; site?: string[]; passwordFile?: string }) =>
        shell.act(async ({ api, output, signal }) => {
          const { name, role, site } = options;
          const password = await readPassword(options.passwordFile, signal);
          const body = { email, name, role, password, ...(site !== undefined && { sites: site }) };
          const account = await api.call({
            ...{ method: 'POST', path: '/v1/accounts', body, reply: AccountView },
          });
          printAccounts(output, [account]);
        }),
    );
}

function listCommand(command: Command, shell: CommandShell): void {
  command
    .command('list')
    .description('everybody who may sign in')
    .action(() =>
      shell.act(async ({ api, output }) => {
        printAccounts(output, await allAccounts(api));
      }),
    );
}

interface SetOptions {
  name?: string;
  role?: AccountRole;
  site?: string[];
  disable?: true;
  enable?: true;
  password?: true;
  passwordFile?: string;
}

function setCommand(command: Command, shell: CommandShell): void {
  command
    .command('set <account>')
    .description('change a person (id or address); what is no longer allowed ends at once')
    .option('--name <name>', "the person's name")
    .addOption(roleOption())
    .option('--site <site...>', 'what a partner sees')
    .option('--disable', 'shut the person out')
    .option('--enable', 'let the person in again')
    .option('--password', 'choose a new password, which is asked for')
    .option('--password-file <file>', 'the same from a file; - for standard input')
    .action((who: string, options: SetOptions) =>
      shell.act(async ({ api, output, signal }) => {
        const body = await patchOf(options, signal);
        if (Object.keys(body).length === 0) throw coded('INVALID', 'say what is to change');
        const path = `/v1/accounts/${encodeURIComponent(await accountIdOf(api, who))}`;
        printAccounts(output, [await api.call({ method: 'PATCH', path, body, reply: AccountView })]);
      }),
    );
}

async function patchOf(options: SetOptions, signal: AbortSignal): Promise<AccountPatch> {
  const { name, role, site, disable, enable, password, passwordFile } = options;
  const isNew = password === true || passwordFile !== undefined;
  return {
    ...(name !== undefined && { name }),
    ...(role !== undefined && { role }),
    ...(site !== undefined && { sites: site }),
    ...(role !== undefined && role !== 'partner' && { sites: [] }),
    ...((disable === true || enable === true) && { disabled: disable === true }),
    ...(isNew && { password: await readPassword(passwordFile, signal) }),
  };
}

function exportCommand(command: Command, shell: CommandShell): void {
  command
    .command('export <account>')
    .description('print all that is known of a person (id or address) as JSON, to be handed over')
    .action((who: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/accounts/${encodeURIComponent(await accountIdOf(api, who))}/export`;
        output.line(JSON.stringify(await api.call({ path, reply: AccountExport }), undefined, 2));
      }),
    );
}

function removeCommand(command: Command, shell: CommandShell): void {
  command
    .command('remove <account>')
    .description('erase a person (id or address): tokens, sessions, profiles, what they watched')
    .action((who: string) =>
      shell.act(async ({ api, output }) => {
        const id = await accountIdOf(api, who);
        const path = `/v1/accounts/${encodeURIComponent(id)}`;
        await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
        output.facts({ removed: id }, () => {
          output.line(`${who} is removed.`);
        });
      }),
    );
}

/** What each person sets up at /account, and an admin takes away where it is lost or in wrong hands. */
const resets = [
  {
    name: 'totp',
    what: 'codes of an authenticator',
    does: 'ask a person (id or address) for no codes any more, whose authenticator is lost',
  },
  { name: 'passkeys', what: 'passkeys', does: 'remove all passkeys of a person (id or address)' },
] as const;

function resetCommands(command: Command, shell: CommandShell): void {
  for (const { name, what, does } of resets)
    command
      .command(name)
      .description(`${what}; each person sets them up at /account`)
      .command('reset <account>')
      .description(does)
      .action((who: string) =>
        shell.act(async ({ api, output }) => {
          const id = await accountIdOf(api, who);
          const path = `/v1/accounts/${encodeURIComponent(id)}/${name}`;
          await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
          output.facts({ reset: id }, () => {
            output.line(`${who} has no ${what} any more.`);
          });
        }),
      );
}

async function allAccounts(api: Api): Promise<AccountView[]> {
  const accounts: AccountView[] = [];
  for (let after = ''; ;) {
    const path = `/v1/accounts?limit=${String(pageLength)}${after}`;
    const page = await api.call({ path, reply: AccountList });
    accounts.push(...page.accounts);
    if (page.next === undefined) return accounts;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

/** The id of an account that is named by it or by its address. ACCOUNT_UNKNOWN. */
export async function accountIdOf(api: Api, who: string): Promise<string> {
  if (!who.includes('@')) return who;
  const account = (await allAccounts(api)).find(({ email }) => email.toLowerCase() === who.toLowerCase());
  if (account === undefined) throw coded('ACCOUNT_UNKNOWN', who);
  return account.id;
}

function printAccounts(output: Output, accounts: readonly AccountView[]): void {
  output.facts(accounts, () => {
    output.table({
      head: ['id', 'address', 'name', 'role', 'sites', 'codes', 'since'],
      rows: accounts.map(({ id, email, name, role, sites, disabled, totp, createdAtMs }) => [
        id,
        email,
        name,
        disabled ? `${role} (disabled)` : role,
        sites.join(' '),
        totp ? 'yes' : 'no',
        new Date(createdAtMs).toISOString().slice(0, 10),
      ]),
      empty: 'There are no accounts.',
    });
  });
}

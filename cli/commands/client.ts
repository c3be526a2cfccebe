import { Command } from 'commander';

import { OauthClientList, OauthClientView } from '../../common/contract/accounts.ts';
import { Type } from '../../common/contract/type.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast client add|list|remove`: the programs that may sign people in. */
export function clientCommand(shell: CommandShell): Command {
  const command = new Command('client').description(
    'programs that may sign people in (OAuth 2.1): add, list, remove',
  );
  command
    .command('add <name>')
    .description('add a program; its id is what it signs in with')
    .option('--redirect <uri...>', 'where people are sent back to')
    .option('--device', 'it may show a code that is entered elsewhere, as a television does')
    .action((name: string, { redirect, device }: { redirect?: string[]; device?: true }) =>
      shell.act(async ({ api, output }) => {
        const body = { name, ...(redirect && { redirectUris: redirect }), ...(device && { device }) };
        const client = await api.call({
          ...{ method: 'POST', path: '/v1/oauth-clients', body, reply: OauthClientView },
        });
        printClients(output, [client]);
      }),
    );
  command
    .command('list')
    .description('programs that were added')
    .action(() =>
      shell.act(async ({ api, output }) => {
        printClients(output, (await api.call({ path: '/v1/oauth-clients', reply: OauthClientList })).clients);
      }),
    );
  command
    .command('remove <id>')
    .description('remove a program')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/oauth-clients/${encodeURIComponent(id)}`;
        await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
        output.facts({ removed: id }, () => {
          output.line(`${id} is removed.`);
        });
      }),
    );
  return command;
}

function printClients(output: Output, clients: readonly OauthClientView[]): void {
  output.facts(clients, () => {
    output.table({
      head: ['id', 'name', 'sends people back to', 'codes for devices'],
      rows: clients.map(({ id, name, redirectUris, device }) => [
        id,
        name,
        redirectUris.join(' '),
        device ? 'yes' : 'no',
      ]),
      empty: 'No program was added.',
    });
  });
}

import { Command } from 'commander';

import { SessionList } from '../../common/contract/accounts.ts';
import { Type } from '../../common/contract/type.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast session list|end`: the browsers and programs that are signed in. */
export function sessionCommand(shell: CommandShell): Command {
  const command = new Command('session').description('where people are signed in: list, end');
  command
    .command('list')
    .description('where you are signed in')
    .option('--account <id>', 'where somebody else is, for an admin')
    .action(({ account }: { account?: string }) =>
      shell.act(async ({ api, output }) => {
        const query = account === undefined ? '' : `?account=${encodeURIComponent(account)}`;
        const { sessions } = await api.call({ path: `/v1/sessions${query}`, reply: SessionList });
        output.facts(sessions, () => {
          output.table({
            head: ['id', 'what', 'may', 'since', 'until'],
            rows: sessions.map(({ id, name, scopes, createdAtMs, expiresAtMs }) => [
              ...[id, name, scopes.join(' ')],
              new Date(createdAtMs).toISOString().slice(0, 16),
              new Date(expiresAtMs).toISOString().slice(0, 16),
            ]),
            empty: 'Nobody is signed in.',
          });
        });
      }),
    );
  command
    .command('end <id>')
    .description('sign a browser or program out at once')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/sessions/${encodeURIComponent(id)}`;
        await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
        output.facts({ ended: id }, () => {
          output.line(`${id} is ended.`);
        });
      }),
    );
  return command;
}

import { Command, Option } from 'commander';

import { ApiTokenList, ApiTokenReply } from '../../common/contract/accounts.ts';
import { Type } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseDurationMs } from '../../common/runtime/quantities.ts';
import type { CommandShell } from '../shell.ts';

interface CreateOptions {
  scope: string[];
  role?: string;
  for: string;
}

/** `nearcast token create|list|revoke`: tokens with which machines call. */
export function tokenCommand(shell: CommandShell): Command {
  const command = new Command('token').description('API tokens for machines: create, list, revoke');
  createCommand(command, shell);
  command
    .command('list')
    .description('your tokens, without what is secret')
    .option('--all', "everybody's, for an admin")
    .action(({ all }: { all?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = all === true ? '/v1/api-tokens?all=true' : '/v1/api-tokens';
        const { tokens } = await api.call({ path, reply: ApiTokenList });
        output.facts(tokens, () => {
          output.table({
            head: ['id', 'name', 'of', 'role', 'scopes', 'until'],
            rows: tokens.map(({ id, name, owner, role, scopes, expiresAtMs }) => [
              ...[id, name, owner, role, scopes.join(' ')],
              new Date(expiresAtMs).toISOString().slice(0, 16),
            ]),
            empty: 'There are no API tokens.',
          });
        });
      }),
    );
  command
    .command('revoke <id>')
    .description('end a token at once')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/api-tokens/${encodeURIComponent(id)}`;
        await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
        output.facts({ revoked: id }, () => {
          output.line(`${id} is revoked.`);
        });
      }),
    );
  return command;
}

function createCommand(command: Command, shell: CommandShell): void {
  command
    .command('create <name>')
    .description('make a token; it is shown this once')
    .requiredOption('--scope <scope...>', 'read, write, or of one resource, like titles:write')
    .addOption(
      new Option('--role <role>', 'less than you are').choices(['admin', 'operator', 'partner', 'viewer']),
    )
    .option('--for <duration>', 'how long it is good', '90d')
    .action((name: string, options: CreateOptions) =>
      shell.act(async ({ api, output }) => {
        const ms = parseDurationMs(options.for);
        if (ms === undefined) throw coded('INVALID', `--for: ${options.for} is no duration like 12h or 90d`);
        const { role, scope: scopes } = options;
        const body = { name, scopes, ttlS: Math.round(ms / 1000), ...(role !== undefined && { role }) };
        const reply = await api.call({
          ...{ method: 'POST', path: '/v1/api-tokens', body, reply: ApiTokenReply },
        });
        output.facts(reply, () => {
          output.line(reply.token);
        });
      }),
    );
}

import { Command } from 'commander';

import { DeadLetterList, WebhookList, WebhookReply, WebhookRetry } from '../../common/contract/webhooks.ts';
import { Type } from '../../common/contract/type.ts';
import { printRows, timeText } from '../money.ts';
import type { CommandShell } from '../shell.ts';

const pathOf = (id: string): string => `/v1/webhooks/${encodeURIComponent(id)}`;

/** `nearcast webhook list|set|remove|dead|retry`. */
export function webhookCommand(shell: CommandShell): Command {
  const command = new Command('webhook').description(
    'where events of billing are sent: list, set, remove, dead, retry',
  );
  changeCommands(command, shell);
  readCommands(command, shell);
  return command;
}

function changeCommands(command: Command, shell: CommandShell): void {
  command
    .command('set <id> <url>')
    .description('put a webhook; a new one is answered with the secret that signs what it is sent')
    .option('--types <type...>', 'only these, like invoice.paid (all)')
    .action((id: string, url: string, { types }: { types?: string[] }) =>
      shell.act(async ({ api, output }) => {
        const body = { url, ...(types !== undefined && { types }) };
        const reply = await api.call({ method: 'PUT', path: pathOf(id), body, reply: WebhookReply });
        output.facts(reply, () => {
          const shown = reply.secret === undefined ? '' : ` Its secret, shown this once: ${reply.secret}`;
          output.line(`Events are sent to ${reply.url}.${shown}`);
        });
      }),
    );
  command
    .command('remove <id>')
    .description('remove a webhook with all that waits for it')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        await api.call({ method: 'DELETE', path: pathOf(id), reply: Type.Unknown() });
        output.facts({ id }, () => {
          output.line(`${id} is sent nothing any more.`);
        });
      }),
    );
  command
    .command('retry <id>')
    .description('send its dead letters again, a thousand at most')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `${pathOf(id)}/retry`;
        const reply = await api.call({ method: 'POST', path, body: {}, reply: WebhookRetry });
        output.facts(reply, () => {
          output.line(`${reply.retried} are sent again.`);
        });
      }),
    );
}

function readCommands(command: Command, shell: CommandShell): void {
  command
    .command('list')
    .description('webhooks, and what waits for them')
    .action(() =>
      shell.act(async ({ api, output }) => {
        const { webhooks } = await api.call({ path: '/v1/webhooks', reply: WebhookList });
        printRows(output, webhooks, {
          head: ['id', 'url', 'types', 'waiting', 'dead'],
          rows: webhooks.map(({ id, url, types, waiting, dead }) => [
            ...[id, url, types?.join(', ') ?? 'all', String(waiting), String(dead)],
          ]),
          empty: 'No webhooks. `nearcast webhook set ID URL` puts one.',
        });
      }),
    );
  command
    .command('dead <id>')
    .description('events that nobody took within two days')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const { letters } = await api.call({ path: `${pathOf(id)}/dead-letters`, reply: DeadLetterList });
        printRows(output, letters, {
          head: ['event', 'type', 'at', 'tries', 'last'],
          rows: letters.map(({ event, type, atMs, tries, failure = '–' }) => [
            ...[event, type, timeText(atMs), String(tries), failure],
          ]),
          empty: 'Everything was taken.',
        });
      }),
    );
}

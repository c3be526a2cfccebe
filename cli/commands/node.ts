import { Command, Option } from 'commander';
import { Type } from '../../common/contract/type.ts';

import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { NodeList } from '../../common/contract/nodes.ts';
import type { CommandShell } from '../shell.ts';
import { nodeRows } from './appliance.ts';

/** `nearcast node list|enrol|revoke`: steering and encoder nodes beside the boxes. */
export function nodeCommand(shell: CommandShell): Command {
  const command = new Command('node').description('every process that joined: list, enrol, revoke');
  command
    .command('list')
    .description('every node of every role')
    .action(() =>
      shell.act(async ({ api, output }) => {
        const { nodes } = await api.call({
          path: '/v1/nodes',
          reply: NodeList,
        });
        output.facts(nodes, () => {
          output.table(nodeRows(nodes, Date.now()));
        });
      }),
    );
  command
    .command('enrol <name>')
    .description('print a single-use code for a steering or encoder node')
    .addOption(
      new Option('--role <role>', 'what it is').choices(['steering', 'encoder']).makeOptionMandatory(),
    )
    .action((name: string, { role }: { role: string }) =>
      shell.act(async ({ api, output }) => {
        const path = '/v1/enrolment-codes';
        const reply = await api.call({
          method: 'POST',
          path,
          body: { role, name },
          reply: EnrolmentCodeReply,
        });
        output.facts(reply, () => {
          output.line(reply.code);
        });
      }),
    );
  command
    .command('revoke <name>')
    .description('shut a node out for good; its name becomes free')
    .action((name: string) =>
      shell.act(async ({ api, output }) => {
        await api.call({
          method: 'DELETE',
          path: `/v1/nodes/${encodeURIComponent(name)}`,
          reply: Type.Unknown(),
        });
        output.facts({ revoked: name }, () => {
          output.line(`${name} is revoked.`);
        });
      }),
    );
  return command;
}

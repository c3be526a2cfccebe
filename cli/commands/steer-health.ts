import { Command } from 'commander';

import { PathwayHealth, PathwayHealthList } from '../../common/contract/health.ts';
import { StatusView } from '../../common/contract/status.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Api } from '../api.ts';
import { formatAgo, formatDuration, formatPercent } from '../output/format.ts';
import { visible, type Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast steer health`: how boxes are in the eyes of steering, and why. */
export function steerHealthCommand(shell: CommandShell): Command {
  return new Command('health')
    .description('how each box is in the eyes of steering; of one box also who sees what, and its history')
    .argument('[node]', 'a box by its name')
    .option('--from <url>', "the steering node to ask; the control plane's unless given")
    .action((node: string | undefined, { from }: { from?: string }) =>
      shell.act(async ({ api, output }) => {
        const url = from ?? (await steeringUrl(api));
        if (node === undefined) {
          const { pathways } = await api.call({
            path: `${url}/v1/pathways/health`,
            reply: PathwayHealthList,
          });
          output.facts(pathways, () => {
            printList(output, pathways);
          });
          return;
        }
        const path = `${url}/v1/pathways/${encodeURIComponent(node)}/health`;
        const health = await api.call({ path, reply: PathwayHealth });
        output.facts(health, () => {
          printOne(output, health);
        });
      }),
    );
}

/** Where steering is, as the control plane knows. */
export async function steeringUrl(api: Api): Promise<string> {
  const status = await api.call({ path: '/v1/status', reply: StatusView });
  if (status.steeringUrl !== null) return status.steeringUrl;
  throw coded('STEERING_UNREACHABLE', 'the control plane knows of no steering: start it with --steering-url');
}

function printList(output: Output, pathways: readonly PathwayHealth[]): void {
  output.table({
    head: ['box', 'is', 'IPv4', 'IPv6', 'stream', 'probe', 'headroom', 'since', 'because'],
    rows: pathways.map((one) => [
      one.id,
      one.verdict ?? (one.healthy ? 'up' : 'not up'),
      one.v4 ?? '–',
      one.v6 ?? '–',
      one.stream ?? '–',
      one.probeMs === undefined ? '–' : formatDuration(one.probeMs),
      one.said === undefined ? '–' : formatPercent(one.said.headroom),
      formatAgo(one.sinceMs, Date.now()),
      one.reason,
    ]),
    empty: 'No boxes: the map names none.',
  });
}

function printOne(output: Output, one: PathwayHealth): void {
  printList(output, [one]);
  const { said, votes = [], history = [] } = one;
  if (said !== undefined) {
    const disks = said.disks.all === 0 ? '' : `, ${said.disks.serving} of ${said.disks.all} disks serve`;
    const wrong = said.reasons.length === 0 ? 'nothing is wrong' : said.reasons.join('; ');
    const live = `${said.liveSessions} live sessions, ${said.liveRequests} requests, ${said.connections} connections`;
    output.line(
      visible(
        `It says: ${said.state}, ${said.level}, ${live}, ${said.failures} failures within a minute${disks}; ${wrong}.`,
      ),
    );
  }
  output.table({
    title: 'Seen by',
    head: ['steering node', 'IPv4', 'IPv6', 'because'],
    rows: votes.map(({ node, v4, v6, why }) => [node, v4 ?? '–', v6 ?? '–', why ?? '']),
    empty: 'Nobody has seen it yet.',
  });
  output.table({
    title: 'Changes',
    head: ['when', 'from', 'to', 'because'],
    rows: history.map(({ atMs, from, to, reason }) => [new Date(atMs).toISOString(), from, to, reason]),
    empty: 'None since this steering node was started.',
  });
}

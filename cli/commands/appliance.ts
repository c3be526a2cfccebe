import { Command } from 'commander';

import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { NodeList, NodeView } from '../../common/contract/nodes.ts';
import type { ServedSummary } from '../../common/contract/served.ts';
import type { CommandContext } from '../context.ts';
import { formatAgo, formatBytes, formatDuration, formatPercent, formatViewed } from '../output/format.ts';
import type { TableView } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { maintenanceCommand } from './appliance-maintenance.ts';

/** Nodes as a table. */
export function nodeRows(nodes: readonly NodeView[], nowMs: number): TableView {
  return {
    head: [
      'node',
      'role',
      'site',
      'cluster',
      'state',
      'held',
      'missing',
      'used',
      'headroom',
      'served',
      'routes',
      'seen',
      'because',
    ],
    rows: nodes.map((node) => [
      node.id,
      node.role,
      node.site ?? '–',
      node.cluster ?? '–',
      node.state,
      String(node.heldFiles),
      String(node.missingFiles),
      node.capacityBytes > 0 ? `${formatBytes(node.usedBytes)} of ${formatBytes(node.capacityBytes)}` : '–',
      formatPercent(node.headroom),
      node.served === undefined ? '–' : formatBytes(node.served.playBytes),
      String(node.routeCount),
      formatAgo(node.lastSeenMs, nowMs),
      [node.stateReason, ...node.reasons].join('; '),
    ]),
    empty: 'No nodes yet. `nearcast appliance enrol NAME --site S --cluster C` prints a code for one.',
  };
}

/** `nearcast appliance list|show|drain|undrain|enrol|maintenance`. */
export function applianceCommand(shell: CommandShell): Command {
  const command = new Command('appliance').description('the boxes: list, show, drain, enrol, maintenance');
  command.addCommand(maintenanceCommand(shell));
  command
    .command('list')
    .description('every appliance and origin')
    .action(() =>
      shell.act(async ({ api, output }) => {
        const { nodes } = await api.call({
          path: '/v1/nodes',
          reply: NodeList,
        });
        const boxes = nodes.filter((node) => node.role === 'appliance' || node.role === 'origin');
        output.facts(boxes, () => {
          output.table(nodeRows(boxes, Date.now()));
        });
      }),
    );
  command
    .command('show <name>')
    .description('one appliance, whole')
    .action((name: string) =>
      shell.act(async ({ api, output }) => {
        const node = await api.call({
          path: `/v1/nodes/${encodeURIComponent(name)}`,
          reply: NodeView,
        });
        output.facts(node, () => {
          output.table({ head: ['', ''], rows: nodeFacts(node), empty: '' });
        });
      }),
    );
  for (const [verb, drain] of [
    ['drain', true],
    ['undrain', false],
  ] as const) {
    command
      .command(`${verb} <name>`)
      .description(drain ? 'give it no new sessions, let the running ones move on' : 'give it sessions again')
      .action((name: string) => shell.act((context) => setDrain(context, name, drain)));
  }
  command
    .command('enrol <name>')
    .description('print a single-use code with which a box joins')
    .requiredOption('--site <site>', 'the ISP location it stands in')
    .option('--cluster <cluster>', "the cluster it shares content with (the site's name)")
    .option('--origin', 'enrol an origin instead of an appliance')
    .action((name: string, options: { site: string; cluster?: string; origin?: boolean }) =>
      shell.act(async ({ api, output }) => {
        const role = options.origin === true ? 'origin' : 'appliance';
        const body = {
          role,
          name,
          site: options.site,
          cluster: options.cluster ?? options.site,
        };
        const reply = await api.call({
          method: 'POST',
          path: '/v1/enrolment-codes',
          body,
          reply: EnrolmentCodeReply,
        });
        output.facts(reply, () => {
          output.line(reply.code);
          output.note(`For ${name}, once, until ${new Date(reply.expiresAtMs).toISOString()}.`);
        });
      }),
    );
  return command;
}

async function setDrain({ api, output }: CommandContext, name: string, drain: boolean): Promise<void> {
  const path = `/v1/nodes/${encodeURIComponent(name)}/drain`;
  const node = await api.call({
    method: 'POST',
    path,
    body: { drain },
    reply: NodeView,
  });
  output.facts(node, () => {
    output.line(
      drain
        ? `${node.id} drains: ${node.liveSessions ?? '–'} live sessions, ${node.liveRequests} requests in flight; steering sends nobody new.`
        : `${node.id} takes sessions again.`,
    );
  });
}

function nodeFacts(node: NodeView): string[][] {
  return [
    ['node', node.id],
    ['role', node.role],
    ['site / cluster', `${node.site ?? '–'} / ${node.cluster ?? '–'}`],
    ['state', `${node.state} since ${new Date(node.stateSinceMs).toISOString()}`],
    ['because', [node.stateReason, ...node.reasons].join('; ')],
    ['serves at', node.url ?? '–'],
    ['addresses', node.addresses.join(', ')],
    ['routes', String(node.routeCount)],
    ['disk', `${formatBytes(node.usedBytes)} of ${formatBytes(node.capacityBytes)}`],
    ['files', `${node.heldFiles} held, ${node.missingFiles} of ${node.wantedFiles} wanted are missing`],
    [
      'load',
      `${node.liveRequests} requests in flight, ${node.liveSessions ?? '–'} live sessions, headroom ${formatPercent(node.headroom)}`,
    ],
    ...(node.state === 'draining' ? [['drain', drainText(node)]] : []),
    ...(node.served === undefined ? [] : servedFacts(node.served)),
    ['last seen', formatAgo(node.lastSeenMs, Date.now())],
  ];
}

/** What it has served, and what that spared the network above it: all but what it took to fill it. */
function servedFacts({
  sinceMs,
  playBytes,
  pictureBytes,
  fillBytes,
  filledBytes,
  missingReports,
}: ServedSummary): string[][] {
  const servedBytes = playBytes + fillBytes;
  const since = new Date(sinceMs).toISOString();
  return [
    [
      'served',
      `to viewers ${formatViewed({ playBytes, pictureBytes })}; to other boxes ${formatBytes(fillBytes)}; since ${since}`,
    ],
    [
      'saved',
      servedBytes === 0
        ? `nothing yet; filled with ${formatBytes(filledBytes)}`
        : `${formatPercent(1 - filledBytes / servedBytes)}: filled with ${formatBytes(filledBytes)}`,
    ],
    ...(missingReports === 0 ? [] : [['reports', `${missingReports} of what it served never came`]]),
  ];
}

/** How far a drain is; the box estimates when it is over by how fast sessions have left so far. */
function drainText({ liveSessions, liveRequests, drainEtaMs }: NodeView): string {
  if (liveSessions === undefined) return 'under way; the box does not say how many sessions are left';
  if (liveSessions === 0 && liveRequests === 0) return 'nobody is served any more';
  if (drainEtaMs === undefined) return 'nobody has left yet, so nothing tells how long it will take';
  return `over in about ${formatDuration(drainEtaMs)}`;
}

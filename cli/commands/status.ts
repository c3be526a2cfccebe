import { Command } from 'commander';

import { StatusView } from '../../common/contract/status.ts';
import { formatBytes, formatDuration } from '../output/format.ts';
import type { CommandShell } from '../shell.ts';
import { nodeRows } from './appliance.ts';

/** `nearcast status`: the whole system at a glance. */
export function statusCommand(shell: CommandShell): Command {
  return new Command('status').description('the whole system at a glance').action(async () => {
    await shell.act(async ({ api, output }) => {
      const status = await api.call({
        path: '/v1/status',
        reply: StatusView,
      });
      output.facts(status, () => {
        const { titles, fill } = status;
        output.line(
          `${status.name} ${status.version} at ${api.server}, up ${formatDuration(status.nowMs - status.startedAtMs)}; steering ${status.steeringUrl ?? 'is not configured'}`,
        );
        output.line(
          `titles: ${titles.live} live, ${titles.filling} filling, ${titles.encoding} encoding, ${titles.queued} queued, ${titles.failed} failed; fill: ${fill.missingFiles} of ${fill.wantedFiles} files missing; sessions today: ${status.sessionsToday ?? 'unknown'}`,
        );
        const usedBytes = status.nodes.reduce((sum, node) => sum + node.usedBytes, 0);
        output.table({
          title: `\nNodes, ${formatBytes(usedBytes)} held`,
          ...nodeRows(status.nodes, status.nowMs),
        });
      });
    });
  });
}

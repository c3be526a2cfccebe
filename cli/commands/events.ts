import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';

import { EventLogView } from '../../common/contract/event-log-view.ts';
import { coded } from '../../common/runtime/errors.ts';
import { withProgress } from '../local-command.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const pollMs = 500;

/** `nearcast events status|export`. */
export function eventsCommand(shell: CommandShell): Command {
  const command = new Command('events').description('the log of what players and boxes reported');
  command
    .command('status')
    .description('what the log holds, who has read how far, and what of it is exported')
    .action(() =>
      shell.act(async ({ api, output }) => {
        printLog(output, await api.call({ path: '/v1/events/log', reply: EventLogView }));
      }),
    );
  command
    .command('export')
    .description('write what is in the log, and not exported yet, into Parquet files')
    .action(() =>
      shell.act(async ({ api, output, signal }) => {
        const ended = await withProgress(output, 'export', async (onProgress) => {
          let log = await api.call({ method: 'POST', path: '/v1/events/exports', reply: EventLogView });
          const before = log.export.events;
          for (; log.export.running !== undefined;) {
            const { from, to } = log.export.running;
            onProgress((log.export.offset - from) / Math.max(1, to - from), `event ${log.export.offset}`);
            await sleep(pollMs, undefined, { signal });
            log = await api.call({ path: '/v1/events/log', reply: EventLogView });
          }
          return { done: log, said: `${log.export.events - before} events` };
        });
        const { last } = ended.export;
        if (last?.outcome === 'failed') throw coded('UNAVAILABLE', last.detail);
        printLog(output, ended);
      }),
    );
  return command;
}

function printLog(output: Output, log: EventLogView): void {
  output.facts(log, () => {
    const { firstOffset, lastOffset, sizeBytes, export: exported } = log;
    output.line(`events ${firstOffset} to ${lastOffset}, ${formatBytes(sizeBytes)}`);
    output.line(
      `exported up to ${exported.offset}: ${exported.events} events in ${exported.files} files, ${exported.missed} were gone before`,
    );
    output.table({
      head: ['reader', 'up to', 'behind'],
      empty: 'nobody reads it',
      rows: log.consumers.map(({ name, offset, behind }) => [name, String(offset), String(behind)]),
    });
  });
}

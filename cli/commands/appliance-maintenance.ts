import { Command } from 'commander';

import {
  MaintenanceList,
  MaintenanceWindow,
  type MaintenanceRequest,
} from '../../common/contract/maintenance.ts';
import { Type } from '../../common/contract/type.ts';
import { isTimeZone } from '../../common/core/fill-window.ts';
import { parseMoment } from '../../common/core/wall-time.ts';
import { coded, valueOf } from '../../common/runtime/errors.ts';
import { parseDurationMs } from '../../common/runtime/quantities.ts';
import { formatDuration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

interface AddOptions {
  appliance?: string;
  site?: string;
  start: string;
  end?: string;
  for?: string;
  timeZone?: string;
  drain?: string;
  reason: string;
}

/** `nearcast appliance maintenance add|list|remove`: when boxes may be gone, so that nobody is sent there. */
export function maintenanceCommand(shell: CommandShell): Command {
  const command = new Command('maintenance').description(
    'planned maintenance: viewers are led away before it',
  );
  command
    .command('add')
    .description('plan it for an appliance, or for all of a site')
    .option('--appliance <name>', 'one appliance')
    .option('--site <site>', 'all appliances of a site')
    .requiredOption('--start <time>', 'like 2026-12-01 02:00 with --time-zone, or 2026-12-01T02:00+01:00')
    .option('--end <time>', 'the same')
    .option('--for <duration>', 'instead of --end, like 90m or 2h')
    .option('--time-zone <zone>', 'in which the times are, like Europe/Berlin')
    .option('--drain <duration>', 'how long before the start viewers are led away (15m)')
    .requiredOption('--reason <text>', 'what for')
    .action((options: AddOptions) =>
      shell.act(async ({ api, output }) => {
        const window = await api.call({
          ...{ method: 'POST', path: '/v1/maintenance', body: requestOf(options), reply: MaintenanceWindow },
        });
        output.facts(window, () => {
          printWindows(output, [window], Date.now());
        });
      }),
    );
  command
    .command('list')
    .description('what is planned')
    .option('--all', 'that of the last month too')
    .action(({ all = false }: { all?: boolean }) =>
      shell.act(async ({ api, output }) => {
        const { windows } = await api.call({ path: '/v1/maintenance', reply: MaintenanceList });
        const nowMs = Date.now();
        const shown = windows.filter(({ endMs }) => all || endMs > nowMs);
        output.facts(shown, () => {
          printWindows(output, shown, nowMs);
        });
      }),
    );
  command
    .command('remove <id>')
    .description('take it back, or end it now')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/maintenance/${encodeURIComponent(id)}`;
        await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
        output.facts({ removed: id }, () => {
          output.line(`${id} is removed.`);
        });
      }),
    );
  return command;
}

function requestOf(options: AddOptions): MaintenanceRequest {
  const { appliance, site, timeZone, reason } = options;
  if (timeZone !== undefined && !isTimeZone(timeZone)) throw coded('INVALID', `${timeZone} is no time zone`);
  if ((options.end === undefined) === (options.for === undefined))
    throw coded('INVALID', 'say when it is over with --end or with --for');
  const startMs = valueOf(parseMoment(options.start, timeZone), '--start');
  const endMs =
    options.end === undefined
      ? startMs + durationOf(options.for ?? '', '--for')
      : valueOf(parseMoment(options.end, timeZone), '--end');
  return {
    ...(appliance !== undefined && { appliance }),
    ...(site !== undefined && { site }),
    ...(timeZone !== undefined && { timeZone }),
    ...(options.drain !== undefined && { drainMs: durationOf(options.drain, '--drain') }),
    ...{ startMs, endMs, reason },
  };
}

function durationOf(text: string, option: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms < 0) throw coded('INVALID', `${option}: ${text} is no duration like 90m or 2h`);
  return Math.round(ms);
}

function printWindows(output: Output, windows: readonly MaintenanceWindow[], nowMs: number): void {
  output.table({
    head: ['id', 'of', 'drains for', 'from', 'until', 'time zone', 'is', 'reason'],
    rows: windows.map((window) => [
      window.id,
      window.appliance ?? `site ${window.site ?? ''}`,
      formatDuration(window.drainMs),
      localTime(window.startMs, window.timeZone),
      localTime(window.endMs, window.timeZone),
      window.timeZone ?? 'UTC',
      stateOf(window, nowMs),
      window.reason,
    ]),
    empty: 'Nothing is planned.',
  });
}

function localTime(ms: number, timeZone = 'UTC'): string {
  // Swedish writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(ms);
}

function stateOf({ startMs, endMs, drainMs }: MaintenanceWindow, nowMs: number): string {
  if (nowMs >= endMs) return 'over';
  if (nowMs >= startMs) return 'under way';
  return nowMs >= startMs - drainMs ? 'draining' : 'planned';
}

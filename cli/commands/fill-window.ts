import { Command, InvalidArgumentError } from 'commander';

import { FillSites, type FillSitePatch, type FillSiteView } from '../../common/contract/fill-sites.ts';
import { formatFillHours, parseFillHours } from '../../common/core/fill-hours.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseRateBytesPerSecond } from '../../common/runtime/quantities.ts';
import { formatBytes } from '../output/format.ts';
import type { CommandShell } from '../shell.ts';

type Hours = FillSitePatch['hours'];

interface WindowOptions {
  site?: string;
  timeZone?: string | null;
  jitter?: number | null;
  cap?: number | null;
  boxCap?: number | null;
}

/** `nearcast fill window`: when and how fast the boxes of each site fill. */
export function fillWindowCommand(shell: CommandShell): Command {
  return new Command('window')
    .description('when and how fast the boxes of a site fill: shows all, or changes one')
    .argument('[hours]', '`02:00-14:00` in local time, `any` for all day, `default`', parseHours)
    .option('--site <site>', 'the site to change')
    .option('--time-zone <zone>', 'where it is, like Europe/Berlin; `default`', orDefault(String))
    .option(
      '--jitter <minutes>',
      'by how much the window may be moved, 0 to 240; `default`',
      orDefault(parseMinutes),
    )
    .option('--cap <rate>', 'all its boxes together, like 1.2Gbit; `default` for none', orDefault(parseRate))
    .option('--box-cap <rate>', 'each of its boxes, like 400Mbit; `default`', orDefault(parseRate))
    .addHelpText(
      'after',
      '\nA site without a time zone fills at any time: hours mean nothing without a place.\nExample: nearcast fill window 02:00-14:00 --site isp-a --time-zone Europe/Berlin --cap 1.2Gbit',
    )
    .action((hours: Hours, options: WindowOptions) =>
      shell.act(async ({ api, output }) => {
        const patch = patchOf(hours, options);
        const { site } = options;
        if (site === undefined && patch !== undefined) {
          throw coded('INVALID', 'name the site that is to be changed with --site');
        }
        const { sites } = await api.call({
          ...(patch === undefined
            ? { path: '/v1/fill/sites' }
            : {
                method: 'PATCH' as const,
                path: `/v1/fill/sites/${encodeURIComponent(site ?? '')}`,
                body: patch,
              }),
          reply: FillSites,
        });
        const shown = site === undefined ? sites : sites.filter((one) => one.site === site);
        output.facts(shown, () => {
          output.table({
            head: ['site', 'boxes', 'fills', 'time zone', 'jitter', 'cap of the site', 'cap of a box'],
            rows: shown.map(siteRow),
            empty: 'No site yet: one comes with its first box, or with `--site`.',
          });
          if (shown.some(({ appliances }) => appliances === 0))
            output.note('A site with 0 boxes has none enrolled under this name.');
        });
      }),
    );
}

/** What the command line asks for; undefined when it only asks to see. */
function patchOf(hours: Hours | undefined, options: WindowOptions): FillSitePatch | undefined {
  const { timeZone, jitter, cap, boxCap } = options;
  const patch: FillSitePatch = {
    ...(hours !== undefined && { hours }),
    ...(timeZone !== undefined && { timeZone }),
    ...(jitter !== undefined && { jitterMinutes: jitter }),
    ...(cap !== undefined && { capBytesPerSecond: cap }),
    ...(boxCap !== undefined && { applianceCapBytesPerSecond: boxCap }),
  };
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function siteRow(view: FillSiteView): string[] {
  const { site, appliances, window, capBytesPerSecond, applianceCapBytesPerSecond } = view;
  return [
    site,
    String(appliances),
    window === undefined ? 'at any time' : formatFillHours(window),
    window?.timeZone ?? '–',
    window === undefined ? '–' : `± ${String(window.jitterMinutes)} min`,
    rateText(capBytesPerSecond),
    rateText(applianceCapBytesPerSecond),
  ];
}

function rateText(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? 'none' : `${formatBytes(bytesPerSecond)}/s`;
}

function parseHours(text: string): Hours {
  if (text === 'any') return 'any';
  if (text === 'default') return null;
  const hours = parseFillHours(text);
  if (hours === undefined)
    throw new InvalidArgumentError('It is not like 02:00-14:00, nor `any` or `default`.');
  return hours;
}

function orDefault<T>(parse: (text: string) => T): (text: string) => T | null {
  return (text) => (text === 'default' ? null : parse(text));
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (!/^\d+$/.test(text) || minutes > 240) throw new InvalidArgumentError('It is not from 0 to 240.');
  return minutes;
}

function parseRate(text: string): number {
  const rate = parseRateBytesPerSecond(text);
  if (rate === undefined) throw new InvalidArgumentError('It is not like 1.2Gbit, 400Mbit or 50MB.');
  return rate;
}

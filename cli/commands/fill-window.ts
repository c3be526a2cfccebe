import { Command, InvalidArgumentError } from 'commander';

import { FillSites, type FillSitePatch, type FillSiteView } from '../../common/contract/fill-sites.ts';
import { formatFillHours, parseFillHours } from '../../common/core/fill-hours.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseRateBytesPerSecond } from '../../common/runtime/quantities.ts';
import { formatRate } from '../output/format.ts';
import type { CommandShell } from '../shell.ts';

type Hours = FillSitePatch['hours'];

type LinkCaps = NonNullable<FillSitePatch['links']>;
/** Not null: commander takes that for no value at all. */
type OrDefault<T> = T | 'default';

interface WindowOptions {
  site?: string;
  timeZone?: OrDefault<string>;
  jitter?: OrDefault<number>;
  cap?: OrDefault<number>;
  boxCap?: OrDefault<number>;
  partner?: OrDefault<string>;
  linkCap?: OrDefault<LinkCaps>;
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
    .option(
      '--partner <name>',
      "whose site it is; its sites share one cap; `default` for nobody's",
      orDefault(String),
    )
    .option(
      '--link-cap <site=rate>',
      'all its boxes together from a site, like origin=400Mbit; again for another; `default`',
      parseLinkCap,
    )
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
            head: [
              ...['site', 'boxes', 'fills', 'time zone', 'jitter', 'cap of the site'],
              ...['partner', 'caps of links', 'cap of a box'],
            ],
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
  const { timeZone, jitter, cap, boxCap, partner, linkCap } = options;
  const patch: FillSitePatch = {
    ...(hours !== undefined && { hours }),
    ...(timeZone !== undefined && { timeZone: chosen(timeZone) }),
    ...(jitter !== undefined && { jitterMinutes: chosen(jitter) }),
    ...(cap !== undefined && { capBytesPerSecond: chosen(cap) }),
    ...(boxCap !== undefined && { applianceCapBytesPerSecond: chosen(boxCap) }),
    ...(partner !== undefined && { partner: chosen(partner) }),
    ...(linkCap !== undefined && { links: chosen(linkCap) }),
  };
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function siteRow(view: FillSiteView): string[] {
  const { site, appliances, window, capBytesPerSecond, applianceCapBytesPerSecond } = view;
  const { partner, partnerCapBytesPerSecond, links = [] } = view;
  return [
    site,
    String(appliances),
    window === undefined ? 'at any time' : formatFillHours(window),
    window?.timeZone ?? '–',
    window === undefined ? '–' : `± ${String(window.jitterMinutes)} min`,
    formatRate(capBytesPerSecond),
    partner === undefined ? '–' : `${partner}: ${formatRate(partnerCapBytesPerSecond)}`,
    links.map((link) => `${link.from}: ${formatRate(link.capBytesPerSecond)}`).join(', ') || '–',
    formatRate(applianceCapBytesPerSecond),
  ];
}

function parseHours(text: string): Hours {
  if (text === 'any') return 'any';
  if (text === 'default') return null;
  const hours = parseFillHours(text);
  if (hours === undefined)
    throw new InvalidArgumentError('It is not like 02:00-14:00, nor `any` or `default`.');
  return hours;
}

/** Reads a value, or that it is to be the default again. */
export function orDefault<T>(parse: (text: string) => T): (text: string) => OrDefault<T> {
  return (text) => (text === 'default' ? text : parse(text));
}

/** As a patch says it. */
export function chosen<T>(value: OrDefault<T>): T | null {
  return value === 'default' ? null : value;
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (!/^\d+$/.test(text) || minutes > 240) throw new InvalidArgumentError('It is not from 0 to 240.');
  return minutes;
}

/** Adds to those that were named before it. */
function parseLinkCap(text: string, before: OrDefault<LinkCaps> | undefined): OrDefault<LinkCaps> {
  if (text === 'default') return text;
  const [from = '', rate = ''] = text.split('=');
  if (from === '' || rate === '') throw new InvalidArgumentError('It is not like origin=400Mbit.');
  return [
    ...(before === undefined || before === 'default' ? [] : before),
    { from, capBytesPerSecond: parseRate(rate) },
  ];
}

/** What the command line says of a rate. */
export function parseRate(text: string): number {
  const rate = parseRateBytesPerSecond(text);
  if (rate === undefined) throw new InvalidArgumentError('It is not like 1.2Gbit, 400Mbit or 50MB.');
  return rate;
}

import { Command } from 'commander';

import { FillSites } from '../../common/contract/fill-sites.ts';
import { formatRate } from '../output/format.ts';
import type { CommandShell } from '../shell.ts';
import { chosen, orDefault, parseRate } from './fill-window.ts';

interface PartnerOptions {
  cap: number | 'default';
}

/** `nearcast fill partner`: how fast the boxes of all sites of a partner fill together. */
export function fillPartnerCommand(shell: CommandShell): Command {
  return new Command('partner')
    .description("how fast the boxes of all of a partner's sites fill together")
    .argument('<name>', 'the partner, as `fill window --partner` gives it to sites')
    .requiredOption(
      '--cap <rate>',
      'all their boxes together, like 4Gbit; `default` for none',
      orDefault(parseRate),
    )
    .action((partner: string, { cap }: PartnerOptions) =>
      shell.act(async ({ api, output }) => {
        const { sites } = await api.call({
          method: 'PATCH',
          path: `/v1/fill/partners/${encodeURIComponent(partner)}`,
          body: { capBytesPerSecond: chosen(cap) },
          reply: FillSites,
        });
        const own = sites.filter((site) => site.partner === partner);
        output.facts(own, () => {
          output.table({
            head: ['site', 'boxes', 'cap of the partner', 'cap of a box'],
            rows: own.map(
              ({ site, appliances, partnerCapBytesPerSecond: all, applianceCapBytesPerSecond: each }) => [
                ...[site, String(appliances), formatRate(all), formatRate(each)],
              ],
            ),
            empty: `No site is of ${partner} yet: \`nearcast fill window --site S --partner ${partner}\` makes it so.`,
          });
        });
      }),
    );
}

import { Command } from 'commander';

import { TitleView } from '../../common/contract/titles.ts';
import { coded } from '../../common/runtime/errors.ts';
import { findTitle } from '../find-title.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast title forecast`: says how a launch is expected to go, so that boxes hold it before its first viewer. */
export function titleForecastCommand(shell: CommandShell): Command {
  return new Command('forecast')
    .description(
      'say how many viewings a day a launch is expected to have: boxes are filled by it until it is known',
    )
    .argument('<title>', 'its id or name')
    .argument('<viewings-per-day>', 'over all sites; 0 takes the forecast back')
    .option('--launch <time>', 'when it begins, as 2026-12-24T20:00Z; now')
    .action((wanted: string, viewings: string, { launch }: { launch?: string }) =>
      shell.act(async ({ api, output }) => {
        const launchAtMs = launch === undefined ? Date.now() : Date.parse(launch);
        if (!/^\d{1,10}$/.test(viewings)) throw coded('INVALID', `${viewings} is no number of viewings`);
        if (Number.isNaN(launchAtMs))
          throw coded('INVALID', `${launch ?? ''} is no time like 2026-12-24T20:00Z`);
        const { id } = await findTitle(api, wanted);
        const body = { forecast: { viewingsPerDay: Number(viewings), launchAtMs } };
        const title = await api.call({ method: 'PATCH', path: `/v1/titles/${id}`, body, reply: TitleView });
        output.facts(title, () => {
          output.note(`${title.name}: ${forecastText(title)}`);
        });
      }),
    );
}

/** A title's forecast in words. */
export function forecastText({ forecast }: TitleView): string {
  if (forecast === undefined || forecast.viewingsPerDay === 0) return 'no forecast';
  const launch = new Date(forecast.launchAtMs).toISOString();
  return `${forecast.viewingsPerDay} viewings a day expected from ${launch}`;
}

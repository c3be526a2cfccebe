import { Command, InvalidArgumentError } from 'commander';

import { RouteSites, type AllowedPrefix, type RouteSitePatch } from '../../common/contract/routes.ts';
import { coded } from '../../common/runtime/errors.ts';
import { routeSiteRows } from '../output/routes.ts';
import type { CommandContext } from '../context.ts';
import type { CommandShell } from '../shell.ts';

interface AllowOptions {
  site?: string;
  maxLength?: number;
  maxRoutes?: number | null;
  remove?: boolean;
  any?: boolean;
}

/** `nearcast routes allow`: what the boxes of each site may announce. */
export function routesAllowCommand(shell: CommandShell): Command {
  return new Command('allow')
    .description('what the boxes of a site may announce: shows all, or adds to what one may')
    .argument(
      '[prefixes...]',
      'like 203.0.113.0/24 or 2001:db8::/32; once there is one, nothing else is taken',
    )
    .option('--site <site>', 'the site to change')
    .option('--max-length <bits>', 'the longest more-specifics that are taken; /24 and /48', parseCount(128))
    .option('--max-routes <count>', 'most routes of one box; `default`', (text) =>
      text === 'default' ? null : parseCount(2_000_000)(text),
    )
    .option('--remove', 'take the prefixes off the list instead')
    .option('--any', 'drop the list: any prefix may be announced')
    .addHelpText(
      'after',
      '\nExample: nearcast routes allow 203.0.113.0/24 2001:db8::/32 --site isp-a\nOf what is announced without being allowed, `nearcast routes lint` shows how much there is and examples.',
    )
    .action((prefixes: string[], options: AllowOptions) =>
      shell.act(async (context) => {
        const { api, output } = context;
        const patch = await patchOf(context, prefixes, options);
        const { site } = options;
        const { sites } = await api.call({
          ...(patch === undefined
            ? { path: '/v1/routes/sites' }
            : {
                method: 'PATCH' as const,
                path: `/v1/routes/sites/${encodeURIComponent(site ?? '')}`,
                body: patch,
              }),
          reply: RouteSites,
          timeoutMs: 120_000,
        });
        const shown = site === undefined ? sites : sites.filter((one) => one.site === site);
        output.facts(shown, () => {
          output.table(routeSiteRows(shown));
        });
      }),
    );
}

/** What the command line asks for; undefined when it only asks to see. */
async function patchOf(
  context: CommandContext,
  prefixes: readonly string[],
  { site, maxLength, maxRoutes, remove, any }: AllowOptions,
): Promise<RouteSitePatch | undefined> {
  const changes = prefixes.length > 0 || any === true || maxRoutes !== undefined;
  if (!changes) return undefined;
  if (site === undefined) throw coded('INVALID', 'name the site that is to be changed with --site');
  if (any === true && prefixes.length > 0) throw coded('INVALID', 'give prefixes or --any, not both');
  const limit = maxRoutes === undefined ? {} : { routesMax: maxRoutes };
  if (any === true) return { ...limit, allowed: null };
  if (prefixes.length === 0) return limit;
  const before = (await allowedNow(context, site)).filter(({ prefix }) => !prefixes.includes(prefix));
  const added = prefixes.map((prefix) => ({ prefix, ...(maxLength !== undefined && { maxLength }) }));
  return { ...limit, allowed: remove === true ? before : [...before, ...added] };
}

async function allowedNow({ api }: CommandContext, site: string): Promise<readonly AllowedPrefix[]> {
  const { sites } = await api.call({ path: '/v1/routes/sites', reply: RouteSites });
  return sites.find((one) => one.site === site)?.allowed ?? [];
}

function parseCount(max: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d+$/.test(text) || count > max) throw new InvalidArgumentError(`It is not from 0 to ${max}.`);
    return count;
  };
}

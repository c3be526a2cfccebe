import { Command, InvalidArgumentError } from 'commander';

import { RouteLint, RoutesView } from '../../common/contract/routes.ts';
import { csvOf } from '../output/csv.ts';
import type { Output, TableView } from '../output/output.ts';
import { routeFindingRows, routeRows, routeSummaryRows } from '../output/routes.ts';
import { parseClient } from '../parse-client.ts';
import type { CommandShell } from '../shell.ts';
import { routesAllowCommand } from './routes-allow.ts';

interface ShowOptions {
  appliance?: string;
  site?: string;
  prefix?: string;
  client?: string;
  limit?: number;
  csv?: boolean;
}

/** `nearcast routes show|lint|allow`. */
export function routesCommand(shell: CommandShell): Command {
  return new Command('routes')
    .description('what the networks of the boxes announce, and what is wrong with it')
    .addCommand(showCommand(shell))
    .addCommand(lintCommand(shell))
    .addCommand(routesAllowCommand(shell));
}

function showCommand(shell: CommandShell): Command {
  return new Command('show')
    .description('how many routes each box has; with --appliance, --prefix or --client the routes')
    .option('--appliance <name>', 'the routes of this box')
    .option('--site <site>', 'only the boxes of this site')
    .option('--prefix <prefix>', 'this prefix, those around it and those in it')
    .option('--client <ip>', 'what leads to this address, of each box the longest', parseClient)
    .option('--limit <count>', 'at most so many routes, 1 to 10000', parseLimit)
    .option('--csv', 'print CSV instead of tables')
    .action(({ csv, limit, ...query }: ShowOptions) =>
      shell.act(async ({ api, output }) => {
        const asked = queryOf({ ...query, limit: limit?.toString() });
        const view = await api.call({ path: `/v1/routes${asked}`, reply: RoutesView });
        const isList = [query.appliance, query.prefix, query.client].some((one) => one !== undefined);
        show(output, view, { csv, table: isList ? routeRows(view) : routeSummaryRows(view, Date.now()) });
        if (view.more > 0) output.note(`${view.more} more; --limit shows more of them.`);
      }),
    );
}

function lintCommand(shell: CommandShell): Command {
  return new Command('lint')
    .description(
      'default routes, foreign prefixes, differences in a cluster, no IPv6, no way between boxes, flapping',
    )
    .option('--appliance <name>', 'only this box')
    .option('--site <site>', 'only the boxes of this site')
    .option('--csv', 'print CSV instead of tables')
    .action(({ csv, ...query }: { appliance?: string; site?: string; csv?: boolean }) =>
      shell.act(async ({ api, output }) => {
        const lint = await api.call({
          path: `/v1/routes/lint${queryOf(query)}`,
          reply: RouteLint,
          timeoutMs: 120_000,
        });
        show(output, lint, { csv, table: routeFindingRows(lint) });
      }),
    );
}

function show(
  output: Output,
  facts: unknown,
  { csv, table }: { csv?: boolean | undefined; table: TableView },
): void {
  if (csv === true) output.raw(csvOf(table));
  else {
    output.facts(facts, () => {
      output.table(table);
    });
  }
}

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const named = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
  return named.length === 0 ? '' : `?${new URLSearchParams(named).toString()}`;
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > 10_000)
    throw new InvalidArgumentError('It is not from 1 to 10000.');
  return limit;
}

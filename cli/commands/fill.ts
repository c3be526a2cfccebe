import { Command, Option } from 'commander';

import { FillExplainView, FillPlanView, FillReportView } from '../../common/contract/fill.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Api } from '../api.ts';
import { findTitle } from '../find-title.ts';
import { csvOf } from '../output/csv.ts';
import { fillPlanRows, printFillPlan } from '../output/fill-plan.ts';
import {
  fillExplainRows,
  fillReportTables,
  printFillExplain,
  printFillReport,
} from '../output/fill-report.ts';
import type { Output, TableView } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { fillPartnerCommand } from './fill-partner.ts';
import { fillWindowCommand } from './fill-window.ts';

interface ReportOptions {
  appliance?: string;
  site?: string;
  night?: string;
  csv?: keyof typeof fillReportTables;
}

const csvText = 'print CSV instead of tables';

/** `nearcast fill plan|report|explain|window|partner`. */
export function fillCommand(shell: CommandShell): Command {
  return new Command('fill')
    .description('what the boxes should hold, and what became of it')
    .addCommand(planCommand(shell))
    .addCommand(reportCommand(shell))
    .addCommand(explainCommand(shell))
    .addCommand(fillWindowCommand(shell))
    .addCommand(fillPartnerCommand(shell));
}

function planCommand(shell: CommandShell): Command {
  return new Command('plan')
    .description('plan now: adds, deletes, bytes per link, churn, the hit ratio to be expected')
    .option('--dry-run', 'only say what a plan made now would change')
    .option('--site <site>', 'only the boxes of this site')
    .option('--csv', csvText)
    .action(({ dryRun, site, csv }: { dryRun?: boolean; site?: string; csv?: boolean }) =>
      shell.act(async ({ api, output }) => {
        const plan = await api.call({
          method: dryRun === true ? 'GET' : 'POST',
          path: `/v1/fill/plan${queryOf({ site })}`,
          reply: FillPlanView,
          timeoutMs: 120_000,
        });
        show(output, plan, {
          csv,
          rows: fillPlanRows,
          print: () => {
            printFillPlan(output, plan);
          },
        });
      }),
    );
}

function reportCommand(shell: CommandShell): Command {
  return new Command('report')
    .description('planned, done and failed per box, bytes by source, what is missing and when it will come')
    .option('--appliance <name>', 'only this box')
    .option('--site <site>', 'only the boxes of this site')
    .option(
      '--night <date>',
      'of the night that ended on this date, like 2026-11-21; else of the last 24 hours',
    )
    .addOption(
      new Option('--csv [table]', 'print one of its tables as CSV')
        .choices(Object.keys(fillReportTables))
        .preset('boxes'),
    )
    .action(({ csv, ...scope }: ReportOptions) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/fill/report${queryOf({ ...scope })}`;
        const report = await api.call({ path, reply: FillReportView, timeoutMs: 120_000 });
        show(output, report, {
          csv: csv !== undefined,
          rows: fillReportTables[csv ?? 'boxes'],
          print: () => {
            printFillReport(output, report);
          },
        });
      }),
    );
}

function explainCommand(shell: CommandShell): Command {
  return new Command('explain')
    .description('why a file, or the files of a title, are or are not on a box')
    .argument('<file|title>', "a file's name, or a title's id or name")
    .requiredOption('--appliance <name>', 'the box')
    .option('--csv', csvText)
    .action((what: string, { appliance, csv }: { appliance: string; csv?: boolean }) =>
      shell.act(async ({ api, output }) => {
        const file = /^[0-9a-f]{64}$/.test(what) ? what : await bundleOf(api, what);
        const path = `/v1/fill/explain${queryOf({ appliance, file })}`;
        const view = await api.call({ path, reply: FillExplainView });
        show(output, view, {
          csv,
          rows: fillExplainRows,
          print: () => {
            printFillExplain(output, view);
          },
        });
      }),
    );
}

async function bundleOf(api: Api, what: string): Promise<string> {
  const title = await findTitle(api, what);
  if (title.bundle !== undefined) return title.bundle;
  throw coded('TITLE_NOT_LIVE', `${title.name} has no files yet: it is ${title.state}, ${title.stage}`);
}

function queryOf(query: Readonly<Record<string, string | undefined>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, value);
  return params.size === 0 ? '' : `?${params.toString()}`;
}

/** As CSV, as JSON, or for people. */
function show<T>(
  output: Output,
  value: T,
  how: { csv: boolean | undefined; rows: (value: T) => Pick<TableView, 'head' | 'rows'>; print: () => void },
): void {
  if (how.csv === true) output.raw(csvOf(how.rows(value)));
  else output.facts(value, how.print);
}

import { Command } from 'commander';

import { FillPlanView, FillReportView } from '../../common/contract/fill.ts';
import { formatBytes, formatDuration, shortFile } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast fill plan|report`. */
export function fillCommand(shell: CommandShell): Command {
  const command = new Command('fill').description('what the boxes should hold, and what became of it');
  command
    .command('plan')
    .description('what placement wants on each box: adds, deletes, and what is left out and why')
    .action(() =>
      shell.act(async ({ api, output }) => {
        const plan = await api.call({
          path: '/v1/fill/plan',
          reply: FillPlanView,
        });
        output.facts(plan, () => {
          printFillPlan(output, plan);
        });
      }),
    );
  command
    .command('report')
    .description('planned, done and missing per box, bytes by source')
    .action(() =>
      shell.act(async ({ api, output }) => {
        const report = await api.call({
          path: '/v1/fill/report',
          reply: FillReportView,
        });
        output.facts(report, () => {
          printFillReport(output, report);
        });
      }),
    );
  return command;
}

function printFillPlan(output: Output, plan: FillPlanView): void {
  output.table({
    head: ['appliance', 'site', 'cluster', 'capacity', 'planned', 'keep', 'add', 'delete', 'left out'],
    rows: plan.appliances.map((row) => [
      row.id,
      row.site,
      row.cluster,
      formatBytes(row.capacityBytes),
      formatBytes(row.plannedBytes),
      String(row.keeps),
      `${row.adds.length} (${formatBytes(sum(row.adds))})`,
      `${row.deletes.length} (${formatBytes(sum(row.deletes))})`,
      row.left.map((item) => `${item.title}: ${item.why}`).join('; '),
    ]),
    empty: 'No appliance is enrolled, so there is nothing to plan for.',
  });
  const adds = plan.appliances.flatMap((row) => row.adds.map((add) => ({ row, add })));
  if (adds.length === 0) return;
  output.table({
    title: '\nTo add',
    head: ['appliance', 'title', 'file', 'size', 'why'],
    rows: adds.map(({ row, add }) => [
      row.id,
      add.title,
      shortFile(add.file),
      formatBytes(add.sizeBytes),
      add.why,
    ]),
    empty: '',
  });
}

/** The fill report as a table with what is missing under it. */
export function printFillReport(output: Output, report: FillReportView): void {
  output.table({
    head: [
      'appliance',
      'planned',
      'held',
      'failed',
      'peer',
      'tier',
      'origin',
      'chunks ok/bad',
      'took',
      'rate',
    ],
    rows: report.appliances.map((row) => [
      row.id,
      `${row.plannedFiles} (${formatBytes(row.plannedBytes)})`,
      `${row.heldFiles} (${formatBytes(row.heldBytes)})`,
      String(row.failedFiles),
      formatBytes(row.bytesByKind.peer),
      formatBytes(row.bytesByKind.tier),
      formatBytes(row.bytesByKind.origin),
      `${row.chunksVerified}/${row.chunksRefused}`,
      formatDuration(row.durationMs),
      `${formatBytes(row.bytesPerSecond)}/s`,
    ]),
    empty: 'Nothing was filled yet.',
  });
  const missing = report.appliances.flatMap((row) =>
    row.missing.map((item) => [row.id, item.title, shortFile(item.file), item.why]),
  );
  if (missing.length > 0)
    output.table({
      title: '\nMissing',
      head: ['appliance', 'title', 'file', 'why'],
      rows: missing,
      empty: '',
    });
}

function sum(items: readonly { sizeBytes: number }[]): number {
  return items.reduce((total, item) => total + item.sizeBytes, 0);
}

import { Command, Option } from 'commander';

import { QoeReport, type QoeRow } from '../../common/contract/qoe.ts';
import { RowsReport } from '../../common/contract/rows-report.ts';
import { SavingsReport } from '../../common/contract/savings.ts';
import { formatBytes, formatDuration, formatPercent, formatViewed } from '../output/format.ts';
import type { TableView } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast report qoe|savings|rows`. */
export function reportCommand(shell: CommandShell): Command {
  return new Command('report')
    .description('what viewers got and chose, and what boxes have spared')
    .addCommand(qoeCommand(shell))
    .addCommand(savingsCommand(shell))
    .addCommand(rowsCommand(shell));
}

function qoeCommand(shell: CommandShell): Command {
  return new Command('qoe')
    .description('starts, stalls, bitrate and failures of playbacks')
    .addOption(
      new Option('--by <what>', 'rows').choices(['site', 'appliance', 'device', 'title']).default('site'),
    )
    .option('--days <days>', 'how many, today included', '7')
    .action(({ by, days }: { by: string; days: string }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/reports/qoe?${new URLSearchParams({ by, days }).toString()}`;
        const report = await api.call({ path, reply: QoeReport });
        output.facts(report, () => {
          output.table(qoeTable(report));
          if (report.left > 0) output.line(`and ${report.left} more, played less`);
        });
      }),
    );
}

function qoeTable({ by, rows }: QoeReport): TableView {
  return {
    head: [by, 'plays', 'failed', 'played', 'start p50', 'start p95', 'stalls', 'waited', 'bitrate'],
    rows: rows.map((row) => [
      ...[row.name, String(row.plays), failedOf(row), formatDuration(row.playedMs)],
      ...[msOf(row.startMsP50), msOf(row.startMsP95), String(row.stalls)],
      row.rebufferRatio === undefined ? '–' : `${(row.rebufferRatio * 100).toPrecision(3)} %`,
      row.bitrateBps === undefined ? '–' : `${(row.bitrateBps / 1e6).toPrecision(3)} Mbit/s`,
    ]),
    empty: 'No playback has told how it went.',
  };
}

function savingsCommand(shell: CommandShell): Command {
  return new Command('savings')
    .description(
      'what the boxes of a site have spared the network above them, by the reports that they signed',
    )
    .option('--site <site>', 'the site; a partner with one site may leave it out')
    .option('--days <days>', 'how many, today included', '7')
    .action((scope: { site?: string; days: string }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/reports/savings?${new URLSearchParams({ ...scope }).toString()}`;
        const report = await api.call({ path, reply: SavingsReport });
        output.facts(report, () => {
          for (const line of savingsLines(report)) output.line(line);
          output.table(boxTable(report));
        });
      }),
    );
}

function savingsLines(report: SavingsReport): string[] {
  const { site, sinceMs, untilMs, filledBytes, offload, offloadMost } = report;
  const peak = (bytesPerSecond: number): string => `${((bytesPerSecond * 8) / 1e6).toPrecision(3)} Mbit/s`;
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  return [
    `${site}, ${day(sinceMs)} to ${day(untilMs)}: ${report.reports} signed reports, ${report.missingReports} missing`,
    `to viewers ${formatViewed(report)}; to other boxes ${formatBytes(report.fillBytes)}; filled with ${formatBytes(filledBytes)}`,
    offload === undefined || offloadMost === undefined
      ? 'nothing was played'
      : `offload ${formatPercent(offload)}; no choice of files could have exceeded ${formatPercent(offloadMost)}`,
    `busiest hour: viewers ${peak(report.peakPlayBytesPerSecond)}, fill ${peak(report.peakFilledBytesPerSecond)}; avoided ${peak(report.peakAvoidedBytesPerSecond)}`,
    report.churnPerDay === undefined
      ? 'nothing is held'
      : `churn ${formatPercent(report.churnPerDay)} of ${formatBytes(report.heldBytes)} a day`,
  ];
}

function boxTable({ boxes }: SavingsReport): TableView {
  return {
    head: ['box', 'to viewers', 'of it pictures', 'to boxes', 'filled', 'reports', 'missing'],
    rows: boxes.map(({ id, playBytes, pictureBytes, fillBytes, filledBytes, reports, missingReports }) => [
      ...[id, formatBytes(playBytes), pictureBytes === undefined ? '–' : formatBytes(pictureBytes)],
      ...[formatBytes(fillBytes), formatBytes(filledBytes)],
      ...[String(reports), String(missingReports)],
    ]),
    empty: 'No box has reported.',
  };
}

function rowsCommand(shell: CommandShell): Command {
  return new Command('rows')
    .description('what viewers were shown in rows and what they opened')
    .addOption(new Option('--by <what>', 'lines').choices(['row', 'place', 'model']).default('row'))
    .option('--days <days>', 'how many, today included', '7')
    .action(({ by, days }: { by: string; days: string }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/reports/rows?${new URLSearchParams({ by, days }).toString()}`;
        const report = await api.call({ path, reply: RowsReport });
        output.facts(report, () => {
          output.table({
            head: [by, 'shown', 'opened', 'click-through', 'were all alike'],
            rows: report.rows.map((row) => [
              ...[row.name, String(row.impressions), String(row.choices)],
              ...[shareOf(row.clickThrough), shareOf(row.clickThroughAlike)],
            ]),
            empty: 'Nobody has told what was seen of rows.',
          });
        });
      }),
    );
}

function shareOf(share: number | undefined): string {
  return share === undefined ? '–' : `${(share * 100).toFixed(1)} %`;
}

function failedOf({ plays, failures }: QoeRow): string {
  return failures === 0 || plays === 0
    ? String(failures)
    : `${failures} (${formatPercent(Math.min(1, failures / plays))})`;
}

function msOf(ms: number | undefined): string {
  return ms === undefined ? '–' : `${ms} ms`;
}

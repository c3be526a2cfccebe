import type { FillExplainView, FillReportView } from '../../common/contract/fill.ts';
import { printLinks } from './fill-plan.ts';
import { formatBytes, formatDuration, shortFile } from './format.ts';
import type { Output, TableView } from './output.ts';

/** The fill report as tables: boxes, what failed and why, what is missing, why, and when it will come. */
export function printFillReport(output: Output, report: FillReportView): void {
  output.table({
    head: [
      ...['appliance', 'planned', 'held', 'failed', 'peer', 'tier', 'origin'],
      ...['chunks ok/bad', 'took', 'rate', 'missing', 'whole at'],
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
      row.missingFiles === 0 ? '–' : `${row.missingFiles} (${formatBytes(row.missingBytes)})`,
      row.missingFiles === 0 ? 'now' : whenText(row.etaMs),
    ]),
    empty: 'Nothing was filled yet.',
  });
  printLinks(output, 'What came from where', report.links ?? []);
  const missing = report.appliances.flatMap((row) =>
    row.missing.map((item) => [row.id, item.title, shortFile(item.file), whenText(item.etaMs), item.why]),
  );
  if (missing.length > 0)
    output.table({
      title: '\nMissing',
      head: ['appliance', 'title', 'file', 'comes', 'why'],
      rows: missing,
      empty: '',
    });
  const failures = report.appliances.flatMap((row) =>
    row.failures.map((item) => [
      ...[row.id, item.title, shortFile(item.file), new Date(item.atMs).toISOString()],
      ...[`${item.code}: ${item.detail}`, item.heldNow ? 'held now' : 'missing'],
    ]),
  );
  if (failures.length > 0)
    output.table({
      title: '\nFailed tries',
      head: ['appliance', 'title', 'file', 'at', 'why', 'since then'],
      rows: failures,
      empty: '',
    });
}

type Rows = Pick<TableView, 'head' | 'rows'>;

/** The tables of a report, for spreadsheets: bytes, milliseconds and bytes a second as numbers. */
export const fillReportTables = { boxes, missing, failed, links } satisfies Record<
  string,
  (report: FillReportView) => Rows
>;

/** A box a line. */
function boxes(report: FillReportView): Rows {
  const head = [
    ...['appliance', 'site', 'since', 'until', 'planned files', 'planned bytes', 'held files', 'held bytes'],
    ...['failed files', 'peer bytes', 'tier bytes', 'origin bytes', 'chunks verified', 'chunks refused'],
    ...['duration ms', 'bytes per second', 'missing files', 'missing bytes', 'whole at'],
  ];
  const rows = report.appliances.map((row) => [
    ...[row.id, row.site, isoText(report.sinceMs), isoText(report.untilMs)],
    ...[row.plannedFiles, row.plannedBytes, row.heldFiles, row.heldBytes, row.failedFiles].map(String),
    ...[row.bytesByKind.peer, row.bytesByKind.tier, row.bytesByKind.origin].map(String),
    ...[row.chunksVerified, row.chunksRefused, row.durationMs, Math.round(row.bytesPerSecond)].map(String),
    ...[row.missingFiles, row.missingBytes].map(String),
    isoText(row.etaMs),
  ]);
  return { head, rows };
}

/** A file that is missing on a box a line: why, and when it comes. */
function missing(report: FillReportView): Rows {
  const rows = report.appliances.flatMap(({ id, site, missing: files }) =>
    files.map((one) => [id, site, one.title, one.file, String(one.sizeBytes), isoText(one.etaMs), one.why]),
  );
  return { head: ['appliance', 'site', 'title', 'file', 'bytes', 'comes at', 'why'], rows };
}

/** A try that failed a line. */
function failed(report: FillReportView): Rows {
  const rows = report.appliances.flatMap(({ id, site, failures }) =>
    failures.map((one) => [
      ...[id, site, one.title, one.file, isoText(one.atMs), one.code, one.detail],
      one.heldNow ? 'held' : 'missing',
    ]),
  );
  return { head: ['appliance', 'site', 'title', 'file', 'at', 'code', 'detail', 'now'], rows };
}

/** What came over a link a line. */
function links(report: FillReportView): Rows {
  const rows = (report.links ?? []).map((one) => [
    ...[one.kind, one.from, one.to, String(one.files), String(one.bytes)],
    String(one.capBytesPerSecond ?? ''),
  ]);
  return { head: ['kind', 'from site', 'to site', 'files', 'bytes', 'cap bytes per second'], rows };
}

/** Why files are or are not on a box, one a line. */
export function fillExplainRows(view: FillExplainView): Rows {
  const rows = view.files.map((one) => [
    ...[view.appliance, view.title ?? '', one.file, String(one.sizeBytes)],
    ...[one.isHeld ? 'held' : 'not held', one.isPlanned ? 'planned' : 'not planned', one.why],
    ...[one.ways.map(({ kind, node }) => `${kind} ${node}`).join(' '), isoText(one.etaMs)],
  ]);
  return {
    head: ['appliance', 'title', 'file', 'bytes', 'state', 'plan', 'why', 'sources', 'comes at'],
    rows,
  };
}

/** The same for people. */
export function printFillExplain(output: Output, view: FillExplainView): void {
  output.table({
    title: `${view.title ?? 'A file of no title'} on ${view.appliance}`,
    head: ['file', 'size', 'held', 'planned', 'from', 'comes', 'why'],
    rows: view.files.map((one) => [
      ...[shortFile(one.file), formatBytes(one.sizeBytes), yesNo(one.isHeld), yesNo(one.isPlanned)],
      one.ways.map(({ kind, node, waitMs }) => `${kind} ${node}${waitText(waitMs)}`).join(', ') || '–',
      one.isHeld || !one.isPlanned ? '–' : whenText(one.etaMs),
      one.why,
    ]),
    empty: 'It has no files.',
  });
}

function waitText(waitMs: number): string {
  return waitMs === 0 ? '' : ` after ${formatDuration(waitMs)}`;
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function whenText(ms: number | undefined): string {
  return ms === undefined ? 'cannot be told' : `${isoText(ms).slice(0, 16).replace('T', ' ')} UTC`;
}

function isoText(ms: number | undefined): string {
  return ms === undefined ? '' : new Date(ms).toISOString();
}

import type { FillReportView } from '../../common/contract/fill.ts';
import { formatBytes, formatCount, formatDuration, formatTime } from '../shared/format.ts';
import { groupMissing } from './group-missing.ts';
import { Table, type Column } from './table.tsx';

type Row = FillReportView['appliances'][number];

const linesShownMax = 12;

const columns: readonly Column<Row>[] = [
  { name: 'appliance', cell: ({ id }) => id },
  { name: 'planned', isNumber: true, cell: (row) => filesText(row.plannedFiles, row.plannedBytes) },
  { name: 'held', isNumber: true, cell: (row) => filesText(row.heldFiles, row.heldBytes) },
  { name: 'failed', isNumber: true, cell: ({ failedFiles }) => formatCount(failedFiles) },
  { name: 'from peers', isNumber: true, cell: ({ bytesByKind }) => formatBytes(bytesByKind.peer) },
  { name: 'from sites', isNumber: true, cell: ({ bytesByKind }) => formatBytes(bytesByKind.tier) },
  { name: 'from origin', isNumber: true, cell: ({ bytesByKind }) => formatBytes(bytesByKind.origin) },
  {
    name: 'chunks good / bad',
    isNumber: true,
    cell: (row) => `${formatCount(row.chunksVerified)} / ${formatCount(row.chunksRefused)}`,
  },
  {
    name: 'took',
    isNumber: true,
    cell: ({ durationMs }) => (durationMs === 0 ? '–' : formatDuration(durationMs)),
  },
  {
    name: 'rate',
    isNumber: true,
    cell: (row) => (row.durationMs === 0 ? '–' : `${formatBytes(row.bytesPerSecond)}/s`),
  },
  { name: 'whole at', cell: wholeAt },
  {
    name: 'missing',
    cell: ({ missingFiles }) => (
      <span className={`mark ${missingFiles === 0 ? 'good' : 'warn'}`}>
        {missingFiles === 0 ? 'nothing' : countText(missingFiles)}
      </span>
    ),
  },
];

function wholeAt({ missingFiles, etaMs }: Row): string {
  if (missingFiles === 0) return 'now';
  return etaMs === undefined ? 'cannot be told' : formatTime(etaMs);
}

function filesText(files: number, bytes: number): string {
  return `${formatCount(files)} · ${formatBytes(bytes)}`;
}

function countText(files: number): string {
  return files === 1 ? '1 file' : `${formatCount(files)} files`;
}

/** What is missing where, and why; below the table, which words would tear apart. */
function Missing({ appliances }: { appliances: readonly Row[] }) {
  const lines = appliances.flatMap(({ id, missing }) =>
    groupMissing(missing).map((group) => ({ id, ...group })),
  );
  if (lines.length === 0) return undefined;
  return (
    <ul className="missing" aria-label="Missing, and why">
      {lines.slice(0, linesShownMax).map(({ id, title, why, files }) => (
        <li key={`${id}\n${title}\n${why}`}>
          <b>{id}</b> misses {countText(files)} of {title}: <span className="dim">{why}</span>
        </li>
      ))}
      {lines.length > linesShownMax && (
        <li className="dim">
          {formatCount(lines.length - linesShownMax)} more: <code>nearcast fill report</code> lists all.
        </li>
      )}
    </ul>
  );
}

/** What was planned, done and is missing per appliance. */
export function FillTable({ appliances }: { appliances: readonly Row[] }) {
  if (appliances.length === 0) {
    return (
      <p className="dim">
        No appliance has joined yet: <code>nearcast appliance enrol NAME</code> makes a code for one.
      </p>
    );
  }
  return (
    <>
      <Table label="Fill by appliance" columns={columns} rows={appliances} keyOf={({ id }) => id} />
      <Missing appliances={appliances} />
    </>
  );
}

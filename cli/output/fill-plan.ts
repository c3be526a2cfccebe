import type { FillLink, FillPlanView } from '../../common/contract/fill.ts';
import { formatBytes, formatPercent, formatRate, shortFile } from './format.ts';
import type { Output, TableView } from './output.ts';

/** A plan as tables: boxes, links, what is to be added, and what it costs and gains. */
export function printFillPlan(output: Output, plan: FillPlanView): void {
  output.table({
    head: ['appliance', 'site', 'cluster', 'capacity', 'planned', 'keep', 'add', 'delete', 'left out'],
    rows: plan.appliances.map((row) => [
      row.id,
      row.site,
      row.cluster,
      formatBytes(row.capacityBytes),
      formatBytes(row.plannedBytes),
      String(row.keeps),
      `${row.addFiles} (${formatBytes(row.addBytes)})`,
      `${row.deleteFiles} (${formatBytes(row.deleteBytes)})`,
      row.left.map((item) => `${item.title}: ${item.why}`).join('; '),
    ]),
    empty: 'No appliance is enrolled, so there is nothing to plan for.',
  });
  printLinks(output, 'Who fetches from whom', plan.links);
  const adds = plan.appliances.flatMap((row) => row.adds.map((add) => ({ row, add })));
  if (adds.length > 0) {
    output.table({
      title: '\nTo add',
      head: ['appliance', 'title', 'file', 'size', 'from', 'why'],
      rows: adds.map(({ row, add }) => [
        ...[row.id, add.title, shortFile(add.file), formatBytes(add.sizeBytes)],
        ...[fromText(add.from), add.why],
      ]),
      empty: '',
    });
  }
  if (plan.appliances.length > 0) output.line(`\n${costAndGain(plan)}`);
}

/** Who fetches from whom, and what the links may carry; nothing where there is no link. */
export function printLinks(output: Output, title: string, links: readonly FillLink[]): void {
  if (links.length === 0) return;
  output.table({
    title: `\n${title}`,
    head: ['kind', 'from site', 'to site', 'files', 'bytes', 'cap'],
    rows: links.map(({ kind, from, to, files, bytes, capBytesPerSecond }) => [
      ...[kind, from, to, String(files), formatBytes(bytes), formatRate(capBytesPerSecond)],
    ]),
    empty: '',
  });
}

/** Every change of a plan, one a line: for spreadsheets. */
export function fillPlanRows(plan: FillPlanView): Pick<TableView, 'head' | 'rows'> {
  const rows = plan.appliances.flatMap((row) => [
    ...row.adds.map((add) => [
      ...['add', row.id, row.site, add.title, add.file, String(add.sizeBytes)],
      ...[add.from?.kind ?? '', add.from?.node ?? '', add.why],
    ]),
    ...row.deletes.map((gone) => [
      ...['delete', row.id, row.site, gone.title, gone.file, String(gone.sizeBytes)],
      ...['', '', ''],
    ]),
    ...row.left.map((left) => [
      'left',
      row.id,
      row.site,
      left.title,
      '',
      String(left.sizeBytes),
      '',
      '',
      left.why,
    ]),
  ]);
  const head = ['change', 'appliance', 'site', 'title', 'file', 'bytes', 'source kind', 'source', 'why'];
  return { head, rows };
}

function fromText(from: { kind: string; node: string } | undefined): string {
  return from === undefined ? 'nobody has it' : `${from.kind} ${from.node}`;
}

function costAndGain({ churn, hit }: FillPlanView): string {
  const { addBytes, deleteBytes, heldBytes } = churn;
  const share = heldBytes === 0 ? '' : `, ${formatPercent(addBytes / heldBytes)} of what is held`;
  const cost = `Churn: ${formatBytes(addBytes)} come${share}; ${formatBytes(deleteBytes)} may go.`;
  if (hit === undefined) return `${cost} Nobody has watched anything yet, so no hit ratio can be expected.`;
  return `${cost} Expected byte hit ratio: ${formatPercent(hit.now)} now, ${formatPercent(hit.after)} after.`;
}

import { visible, type TableView } from './output.ts';

/** What stands for nothing in a table. */
const nothing = '–';

/** A table as CSV (RFC 4180): the head first, CRLF at the end of each line, quotes where a field needs them; what is not there is empty. */
export function csvOf({ head, rows }: Pick<TableView, 'head' | 'rows'>): string {
  return [head, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(text: string): string {
  const shown = text === nothing ? '' : visible(text);
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}

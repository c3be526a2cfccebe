import { visible, type TableView } from './output.ts';

/** What stands for nothing in a table. */
const nothing = '–';

/** What a spreadsheet would compute instead of showing it; numbers and amounts aside. */
const formula = /^[=+@-](?!\d+(?:\.\d+)?(?: [A-Z]{3})?$)/;

/**
 * A table as CSV (RFC 4180): the head first, CRLF at the end of each line, quotes where a field needs them; what is not there is empty. Names
 * come from strangers: a field that a spreadsheet would take for a formula begins with an apostrophe.
 */
export function csvOf({ head, rows }: Pick<TableView, 'head' | 'rows'>): string {
  return [head, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(text: string): string {
  if (text === nothing) return '';
  const shown = visible(text).replace(formula, "'$&");
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}

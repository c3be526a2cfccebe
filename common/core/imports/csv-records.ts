/** A record of a CSV file, with the line on which it begins, from 1; or what is wrong with it. */
export type CsvRecord = { readonly line: number } & (
  { readonly fields: readonly string[] } | { readonly fault: string }
);

/**
 * The records of a CSV text (RFC 4180): fields in quotes may hold separators, line ends and doubled quotes; empty lines are passed
 * over. What breaks these rules is told of by its line, and reading goes on with the next line: a quote that is never closed does not
 * swallow the rest. `charactersMax` bounds a record.
 */
export function* csvRecords(
  text: string,
  { separator, charactersMax }: { separator: ',' | ';' | '\t'; charactersMax: number },
): Generator<CsvRecord, undefined> {
  let at = text.startsWith('\ufeff') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const { fields, end, fault } = readRecord(text, at, { separator, charactersMax });
    if (fault !== undefined) yield { line, fault };
    else if (fields.some((field) => field.trim() !== '')) yield { line, fields };
    for (let found = text.indexOf('\n', at); found >= 0 && found < end; found = text.indexOf('\n', found + 1))
      line++;
    at = end;
  }
  return undefined;
}

interface ReadRecord {
  readonly fields: readonly string[];
  /** Where the next one begins. */
  readonly end: number;
  readonly fault?: string;
}

function readRecord(
  text: string,
  start: number,
  { separator, charactersMax }: { separator: string; charactersMax: number },
): ReadRecord {
  const broken = (fault: string): ReadRecord => ({ fields: [], end: lineEnd(text, start), fault });
  const fields: string[] = [];
  for (let at = start; ;) {
    let field: string;
    if (text[at] === '"') {
      const close = closingQuote(text, at, start + charactersMax);
      if (close === undefined) return broken(`a quote is not closed within ${charactersMax} characters`);
      field = text.slice(at + 1, close).replaceAll('""', '"');
      at = close + 1;
    } else {
      const from = at;
      while (at < text.length && text[at] !== separator && text[at] !== '\n') at++;
      field = text.slice(from, at).replace(/\r$/, '');
      if (field.includes('"')) return broken('a quote stands in a field that does not begin with one');
    }
    if (at - start > charactersMax) return broken(`it has more than ${charactersMax} characters`);
    fields.push(field);
    if (text[at] === separator) {
      at++;
      continue;
    }
    if (text.startsWith('\r\n', at)) return { fields, end: at + 2 };
    if (at >= text.length || text[at] === '\n') return { fields, end: Math.min(text.length, at + 1) };
    return broken('behind the quote that closes a field stands something else');
  }
}

function closingQuote(text: string, open: number, most: number): number | undefined {
  for (let at = open + 1; at < Math.min(text.length, most); at++) {
    if (text[at] !== '"') continue;
    if (text[at + 1] !== '"') return at;
    at++;
  }
  return undefined;
}

function lineEnd(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found < 0 ? text.length : found + 1;
}

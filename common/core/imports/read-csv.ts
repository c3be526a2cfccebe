import { csvRecords } from './csv-records.ts';
import { brokenLine, entryCharactersMax, type ImportLine } from './lines.ts';

type Cell = (text: string) => Readonly<Record<string, unknown>>;

const listOf = (text: string): string[] =>
  text
    .split('|')
    .map((part) => part.trim())
    .filter((part) => part !== '');

// What is no number stays text, and is refused by its field.
const numberOf = (text: string): unknown => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : text);
const timeOf = (text: string): unknown => {
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? text : timeMs;
};

const texts =
  (field: string): Cell =>
  (text) => ({ [field]: text });
const numbers =
  (field: string): Cell =>
  (text) => ({ [field]: numberOf(text) });
const lists =
  (field: string): Cell =>
  (text) => ({ [field]: listOf(text) });
const people =
  (role: string): Cell =>
  (text) => ({ people: listOf(text).map((name) => ({ name, role })) });
const idOf =
  (scheme: string): Cell =>
  (text) => ({ externalIds: [withScheme(text.trim(), scheme)] });
const picture =
  (kind: string, language?: string): Cell =>
  (text) => ({ artwork: [{ kind, ...(language !== undefined && { language }), path: text.trim() }] });
const captions =
  (language?: string, kind?: string): Cell =>
  (text) => ({
    captions: [
      {
        ...(language !== undefined && { language }),
        kind: { forced: 'forced', sdh: 'captions' }[kind ?? ''] ?? 'subtitles',
        path: text.trim(),
      },
    ],
  });
const window =
  (field: string, read: (text: string) => unknown): Cell =>
  (text) => ({ window: { [field]: read(text) } });

const cells: Readonly<Record<string, Cell>> = {
  id: idOf('id'),
  imdb: idOf('imdb'),
  tmdb: idOf('tmdb'),
  tvdb: idOf('tvdb'),
  part_of: (text) => ({ partOf: withScheme(text.trim(), 'id') }),
  name: texts('name'),
  title: texts('name'),
  kind: texts('kind'),
  path: texts('path'),
  synopsis: texts('synopsis'),
  number: numbers('number'),
  year: numbers('year'),
  maturity: numbers('maturity'),
  aliases: lists('aliases'),
  genres: lists('genres'),
  actors: people('actor'),
  directors: people('director'),
  writers: people('writer'),
  producers: people('producer'),
  composers: people('composer'),
  hosts: people('host'),
  poster: picture('poster'),
  backdrop: picture('backdrop'),
  logo: picture('logo'),
  still: picture('still'),
  captions: captions(),
  stage: texts('stage'),
  regions: window('regions', listOf),
  from: window('fromMs', timeOf),
  to: window('toMs', timeOf),
};

/**
 * The titles of a CSV file whose first line names its columns; commas, semicolons or tabs stand between them, `|` between the parts of
 * a list. Empty cells say nothing. A column that is not known is told of and passed over.
 */
export function* readCsv(text: string, file: string): Generator<ImportLine> {
  const records = csvRecords(text, { separator: separatorOf(text), charactersMax: entryCharactersMax });
  const { value: head } = records.next();
  if (head === undefined) {
    yield brokenLine({ file, line: 1 }, 'the file is empty');
    return;
  }
  if ('fault' in head) {
    yield brokenLine({ file, line: head.line }, head.fault);
    return;
  }
  const columns = head.fields.map((name) => cellOf(name.trim().toLowerCase()));
  for (const [at, name] of head.fields.entries())
    if (columns[at] === undefined)
      yield brokenLine(
        { file, line: head.line },
        `the column ${name} is passed over`,
        'IMPORT_COLUMN_UNKNOWN',
      );
  for (const record of records) {
    const at = { file, line: record.line };
    if ('fault' in record) yield brokenLine(at, record.fault);
    else if (record.fields.length > columns.length)
      yield brokenLine(at, `it has ${record.fields.length} fields, the first line ${columns.length}`);
    else yield { ...at, read: { entry: entryOf(record.fields, columns) } };
  }
}

function separatorOf(text: string): ',' | ';' | '\t' {
  const end = text.indexOf('\n');
  const head = end < 0 ? text : text.slice(0, end);
  const count = (separator: string): number => head.split(separator).length;
  return ([',', ';', '\t'] as const).reduce((best, one) => (count(one) > count(best) ? one : best));
}

function cellOf(column: string): Cell | undefined {
  if (Object.hasOwn(cells, column)) return cells[column];
  const [, read, kind] = /^captions:([a-z0-9-]{2,35})(?::(forced|sdh))?$/.exec(column) ?? [];
  if (read !== undefined) return captions(read, kind);
  const [, field, language] =
    /^(name|synopsis|poster|backdrop|logo|still):([a-z0-9-]{2,35})$/.exec(column) ?? [];
  if (field === undefined || language === undefined) return undefined;
  if (field !== 'name' && field !== 'synopsis') return picture(field, language);
  return (text) => ({ translations: [{ language, [field]: text }] });
}

function withScheme(id: string, scheme: string): string {
  return /^[a-z][a-z0-9]{0,15}:/.test(id) ? id : `${scheme}:${id}`;
}

type Parts = Record<string, unknown> & {
  window?: object;
  stage?: string;
  translations?: { language: string }[];
};

function entryOf(fields: readonly string[], columns: readonly (Cell | undefined)[]): object {
  const parts: Parts = {};
  for (const [at, text] of fields.entries()) {
    if (text.trim() === '') continue;
    for (const [field, value] of Object.entries(columns[at]?.(text) ?? {}))
      parts[field] = joined(parts[field], value);
  }
  const { window: found, stage, translations, ...entry } = parts;
  const isReleased = found !== undefined || stage !== undefined;
  return {
    ...entry,
    ...(translations !== undefined && { translations: byLanguage(translations) }),
    ...(isReleased && {
      release: { stage: stage ?? 'published', ...(found !== undefined && { windows: [found] }) },
    }),
  };
}

/** Cells of one field: lists one behind the other, objects in one; else the last. */
function joined(before: unknown, value: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(value))
    return [...(before as unknown[]), ...(value as unknown[])];
  if (typeof before === 'object' && typeof value === 'object') return { ...before, ...value };
  return value;
}

function byLanguage(translations: readonly { language: string }[]): object[] {
  const found = new Map<string, object>();
  for (const one of translations) found.set(one.language, { ...found.get(one.language), ...one });
  return [...found.values()];
}

import type { ProblemCode } from '../../contract/problem.ts';

/** One entry of an import as its file tells it, to be judged as an `ImportEntry`; or why a line is none. */
export interface ImportLine {
  /** Of the file, where there is more than one. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly read: { readonly entry: object } | { readonly code: ProblemCode; readonly detail: string };
}

/** So many characters an entry has at most. */
export const entryCharactersMax = 64 * 1024;

/** A line that is no entry. */
export function brokenLine(
  at: Pick<ImportLine, 'file' | 'line'>,
  detail: string,
  code: ProblemCode = 'IMPORT_LINE_INVALID',
): ImportLine {
  return { ...at, read: { code, detail } };
}

/** Lines are imported in this order of their kinds, so that what holds others is there before them. */
const kindOrder = ['series', 'season', 'movie', 'episode', 'extra'];

/**
 * Lines in the order in which they are imported; an entry with an external id that an earlier one has is told of as the same title.
 * What is no entry comes first.
 */
export function orderLines(lines: readonly ImportLine[]): ImportLine[] {
  const first = new Map<string, ImportLine>();
  const judged = lines.map((one) => {
    const { externalIds } = fieldsOf(one);
    const ids = Array.isArray(externalIds) ? externalIds.filter((id) => typeof id === 'string') : [];
    const twin = ids.map((id) => first.get(id)).find((other) => other !== undefined);
    for (const id of ids) if (!first.has(id)) first.set(id, one);
    if (twin === undefined) return one;
    const where = twin.file === one.file ? `line ${twin.line}` : twin.file;
    return brokenLine(one, `it has an id of ${where}: it is the same title`);
  });
  const rank = (one: ImportLine): number => {
    const { kind } = fieldsOf(one);
    return 'entry' in one.read ? kindOrder.indexOf(typeof kind === 'string' ? kind : 'movie') : -2;
  };
  return judged.sort((one, other) => rank(one) - rank(other));
}

function fieldsOf({ read }: ImportLine): { externalIds?: unknown; kind?: unknown } {
  return 'entry' in read ? read.entry : {};
}

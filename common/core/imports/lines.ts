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
export function* orderLines(lines: Iterable<ImportLine>): Generator<ImportLine> {
  const first = new Map<string, ImportLine>();
  // What is of no kind that there is comes first of all that is to be judged.
  const ranked: ImportLine[][] = [[], ...kindOrder.map(() => [])];
  for (const one of lines) {
    const { kind } = fieldsOf(one);
    const ids = idsOf(one);
    const twin = ids.map((id) => first.get(id)).find((other) => other !== undefined);
    for (const id of ids) if (!first.has(id)) first.set(id, one);
    if (twin !== undefined)
      yield brokenLine(one, `it has an id of ${whereOf(twin, one)}: it is the same title`);
    else if (!('entry' in one.read)) yield one;
    else ranked[kindOrder.indexOf(typeof kind === 'string' ? kind : 'movie') + 1]?.push(one);
  }
  for (const some of ranked) yield* some;
}

/**
 * What a folder holds: of each video one entry. Where a list beside the videos names one, the two are one title: it is told of by the
 * list, what that leaves out by the video's own entry, and it has the ids of both.
 */
export function* joinLines(lists: Iterable<ImportLine>, videos: Iterable<ImportLine>): Generator<ImportLine> {
  const byPath = new Map<unknown, ImportLine>();
  const others: ImportLine[] = [];
  for (const one of videos) {
    const { path } = fieldsOf(one);
    if (path === undefined) others.push(one);
    else byPath.set(path, one);
  }
  for (const one of lists) {
    const { path } = fieldsOf(one);
    const video = path === undefined ? undefined : byPath.get(path);
    if (path !== undefined) byPath.delete(path);
    yield video === undefined ? one : joined(one, video);
  }
  yield* others;
  yield* byPath.values();
}

interface Fields {
  readonly externalIds?: unknown;
  readonly kind?: unknown;
  readonly path?: unknown;
  readonly partOf?: unknown;
  readonly number?: unknown;
  readonly assumed?: unknown;
}

function joined(list: ImportLine, video: ImportLine): ImportLine {
  const told = fieldsOf(list);
  const { kind, partOf, number, assumed, ...found } = fieldsOf(video);
  const isPlaced = told.kind !== undefined || told.partOf !== undefined;
  const guesses = Array.isArray(assumed)
    ? assumed.filter((field) => !Object.hasOwn(told, String(field)))
    : [];
  const entry = {
    ...found,
    ...(!isPlaced && {
      kind,
      ...(partOf !== undefined && { partOf }),
      ...(number !== undefined && { number }),
    }),
    ...told,
    externalIds: [...new Set([...idsOf(list), ...idsOf(video)])],
    ...(guesses.length > 0 && { assumed: guesses }),
  };
  return { ...list, read: { entry } };
}

function whereOf(twin: ImportLine, one: ImportLine): string {
  return twin.file === one.file ? `line ${twin.line}` : twin.file;
}

function idsOf(one: ImportLine): string[] {
  const { externalIds } = fieldsOf(one);
  return Array.isArray(externalIds) ? externalIds.filter((id) => typeof id === 'string') : [];
}

function fieldsOf({ read }: ImportLine): Fields {
  return 'entry' in read ? read.entry : {};
}

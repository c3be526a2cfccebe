import { Command, InvalidArgumentError } from 'commander';

import {
  AgainOf,
  importEntriesMax,
  ImportReply,
  WatchedFolders,
  type ImportProblem,
  type ImportRequest,
  type ImportResult,
  type WatchedFolder,
} from '../../common/contract/imports.ts';
import { CaptionFiles } from '../../common/contract/titles.ts';
import type { ImportLine } from '../../common/core/imports/lines.ts';
import { coded, isCoded } from '../../common/runtime/errors.ts';
import { readImport } from '../../common/runtime/import-files.ts';
import { matches } from '../../common/runtime/parse.ts';
import { checkCaptions, uploadCaptions, type NamedCaptions } from '../captions.ts';
import type { CommandContext } from '../context.ts';
import { formatDuration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { openSource, uploadFile } from '../upload.ts';

const requestCharactersMax = 512 * 1024;
const importTimeoutMs = 300_000;
const problemsShown = 50;
const ofOneFile = [
  'PATH_UNREADABLE',
  'SOURCE_EMPTY',
  'SOURCE_TRUNCATED',
  'UPLOAD_TOO_LARGE',
  'CAPTIONS_INVALID',
] as const;

interface ImportOptions {
  dryRun?: boolean;
  onServer?: boolean;
  again?: AgainOf[];
  label?: string;
  was?: string;
}

/** `nearcast title import`: titles of a CSV or JSON file, or of a folder of videos with NFO files; without a path, what is watched. */
export function titleImportCommand(shell: CommandShell): Command {
  return new Command('import')
    .description(
      'titles of a CSV or JSON file, or of a folder of videos with NFO files; repeated, it changes nothing',
    )
    .argument(
      '[path]',
      'the file or folder; without it, the folders that the control plane watches are shown',
    )
    .option('--dry-run', 'say what would be done, and do nothing')
    .option(
      '--on-server',
      'the videos are on the control plane, under one of its ingest roots, and not uploaded',
    )
    .option(
      '--again <which>',
      'take videos anew of titles that are: failed, replaced (made of another file than lies there now), withdrawn; several with commas',
      againOf,
    )
    .option(
      '--label <name>',
      'what the folder is known by: with the same name it is the same folder wherever it lies',
      labelOf,
    )
    .option(
      '--was <name>',
      'what the folder was known by before, where --label gives it another name',
      labelOf,
    )
    .action((path: string | undefined, options: ImportOptions) =>
      shell.act(async (context) => {
        if (path === undefined) await showWatched(context);
        else await importPath(context, path, options);
      }),
    );
}

function labelOf(name: string): string {
  if (/^[A-Za-z0-9._-]{1,32}$/.test(name)) return name;
  throw new InvalidArgumentError('up to 32 letters, digits, dots, dashes and underlines');
}

function againOf(typed: string): AgainOf[] {
  return typed.split(',').map((which) => {
    if (matches(AgainOf, which)) return which;
    throw new InvalidArgumentError('failed, replaced or withdrawn, with commas between them');
  });
}

/** One entry that was read, with the file that tells of it. */
interface ReadEntry {
  readonly file: string;
  readonly line: number;
  readonly entry: {
    readonly path?: string;
    readonly externalIds?: unknown;
    readonly formerIds?: unknown;
    readonly kind?: unknown;
    readonly artwork?: unknown;
    readonly captions?: unknown;
  };
}

interface Tally {
  readonly counts: Record<ImportResult['outcome'], number>;
  /** Titles whose video is taken anew. */
  again: number;
  readonly problems: ImportProblem[];
}

async function importPath(context: CommandContext, path: string, options: ImportOptions): Promise<void> {
  const { output } = context;
  const startedMs = performance.now();
  const lines = await readImport(path, options);
  const counts = { created: 0, changed: 0, unchanged: 0, refused: 0 };
  const tally: Tally = { counts, again: 0, problems: [] };
  const entries = lines.flatMap(({ file, line, read }): ReadEntry[] => {
    if ('entry' in read) return [{ file, line, entry: read.entry }];
    tally.problems.push({ file, line, ...read });
    return [];
  });
  const bar = output.progress('import');
  const run = options.dryRun === true ? new DryRun(context) : new Run(context);
  const how = { uploads: options.onServer !== true, again: options.again ?? [] };
  let done = 0;
  for (const batch of batches(entries)) {
    const results = await run.import(batch, how);
    for (const [at, result] of results.entries()) count(tally, result, batch[at]);
    done += batch.length;
    bar.update(done / entries.length, `${done} of ${entries.length}`);
  }
  bar.done(`${entries.length} titles in ${formatDuration(performance.now() - startedMs)}`);
  output.facts({ dryRun: options.dryRun === true, ...tally }, () => {
    printTally(output, tally, options);
  });
  const missed = tally.problems.filter(isMissed).length;
  if (missed === 0) return;
  const said =
    options.dryRun === true
      ? 'would be passed over; nothing was done'
      : 'were passed over; all others are in';
  throw coded('IMPORT_INCOMPLETE', `${missed} of ${lines.filter(isOfTitle).length} ${said}`);
}

/** A column that is not known loses no title. */
function isMissed({ code }: ImportProblem): boolean {
  return code !== 'IMPORT_COLUMN_UNKNOWN';
}

function isOfTitle({ read }: ImportLine): boolean {
  return 'entry' in read || read.code !== 'IMPORT_COLUMN_UNKNOWN';
}

function count(tally: Tally, result: ImportResult, of: ReadEntry | undefined): void {
  const { counts, problems } = tally;
  counts[result.outcome]++;
  if (result.takesVideo === true && result.outcome !== 'created') tally.again++;
  const { line, code, detail = '' } = result;
  if (code !== undefined) problems.push({ file: of?.file ?? '', line, code, detail });
}

function* batches(entries: readonly ReadEntry[]): Generator<ReadEntry[]> {
  let batch: ReadEntry[] = [];
  let characters = 0;
  for (const one of entries) {
    const length = JSON.stringify(one.entry).length;
    if (
      batch.length === importEntriesMax ||
      (batch.length > 0 && characters + length > requestCharactersMax)
    ) {
      yield batch;
      [batch, characters] = [[], 0];
    }
    batch.push(one);
    characters += length;
  }
  if (batch.length > 0) yield batch;
}

/** How titles are imported. */
interface How {
  readonly uploads: boolean;
  readonly again: AgainOf[];
}

/** Imports titles; videos that are here are uploaded once it is known that their titles want them. */
class Run {
  readonly #context: CommandContext;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async import(batch: readonly ReadEntry[], { uploads, again }: How): Promise<ImportResult[]> {
    if (!uploads || !batch.some(({ entry }) => entry.path !== undefined || entry.artwork !== undefined))
      return await send(this.#context, { again, entries: batch.map(({ line, entry }) => ({ line, entry })) });
    const judged = await send(this.#context, { again, dryRun: true, entries: batch.map(toUpload) });
    const results: ImportResult[] = [];
    // In their order, since one may be part of another before it.
    for (const [at, one] of batch.entries()) {
      const before = judged[at];
      const takesVideo = before?.takesVideo === true;
      const takesArtwork = before?.takesArtwork ?? [];
      if (before?.outcome === 'refused') results.push(before);
      else if (before?.outcome === 'unchanged' && !takesVideo && takesArtwork.length === 0)
        results.push(before);
      // What was said of its video is not said again where that stays here.
      else
        results.push({
          ...saidOf(before),
          ...(await this.#importOne(one, { takesVideo, takesArtwork, again })),
        });
    }
    return results;
  }

  async #importOne(
    { line, entry }: ReadEntry,
    { takesVideo, takesArtwork, again }: { takesVideo: boolean; takesArtwork: number[]; again: AgainOf[] },
  ): Promise<ImportResult> {
    const { path, artwork, captions, ...rest } = entry;
    try {
      const beside = await usableCaptions(takesVideo ? captions : []);
      const uploadId = takesVideo && path !== undefined ? await uploadFile(this.#context, path) : undefined;
      const texts = await uploadCaptions(this.#context, beside.captions);
      const pictures = await uploadPictures(this.#context, artwork, takesArtwork);
      const files = { ...pictures, ...(texts.length > 0 && { captions: texts }) };
      const more = { ...(uploadId !== undefined && { uploadId }), ...files };
      const [result] = await send(this.#context, { again, entries: [{ line, entry: { ...rest, ...more } }] });
      if (result !== undefined) return { ...beside.wrong, ...result };
    } catch (error) {
      return refusedFor(error, line);
    }
    throw coded('INTERNAL', 'the control plane has said nothing of a title');
  }
}

function saidOf({ code, detail }: Partial<ImportResult> = {}): Partial<ImportResult> {
  return { ...(code !== undefined && { code }), ...(detail !== undefined && { detail }) };
}

/** Asks what would be done; tells the control plane what it would have made or known again by then. */
class DryRun {
  readonly #context: CommandContext;
  readonly #known = new Map<unknown, NonNullable<ImportRequest['expected']>[number]>();

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async import(batch: readonly ReadEntry[], { uploads, again }: How): Promise<ImportResult[]> {
    const wanted = batch.flatMap(({ entry }) =>
      'partOf' in entry ? (this.#known.get(entry.partOf) ?? []) : [],
    );
    const results = await send(this.#context, {
      ...{ dryRun: true, again },
      entries: batch.map((one) => (uploads ? toUpload(one) : { line: one.line, entry: one.entry })),
      ...(wanted.length > 0 && { expected: [...new Set(wanted)] }),
    });
    const judged: ImportResult[] = [];
    for (const [at, result] of results.entries()) {
      const entry: ReadEntry['entry'] = batch[at]?.entry ?? {};
      const isNew = result.outcome === 'created';
      if (isNew || (entry.formerIds !== undefined && result.outcome !== 'refused')) this.#expect(entry);
      const missing =
        result.takesVideo === true && uploads ? await unreadableOf(entry.path, result.line) : undefined;
      judged.push(missing ?? result);
    }
    return judged;
  }

  #expect({ externalIds, formerIds, kind = 'movie' }: ReadEntry['entry']): void {
    const one = { externalIds, kind, ...(formerIds !== undefined && { formerIds }) } as NonNullable<
      ImportRequest['expected']
    >[number];
    for (const id of one.externalIds) this.#known.set(id, one);
  }
}

function toUpload({
  line,
  entry: { path, artwork, captions: _captions, ...entry },
}: ReadEntry): ImportRequest['entries'][number] {
  const pictures = Array.isArray(artwork) ? { artwork: artwork.map(withoutPath) } : {};
  return { line, entry: { ...entry, ...pictures }, ...(path !== undefined && { uploads: true }) };
}

function withoutPath(picture: unknown): unknown {
  if (typeof picture !== 'object' || picture === null) return picture;
  return Object.fromEntries(Object.entries(picture).filter(([field]) => field !== 'path'));
}

/** The captions of an entry that can be taken, and what is wrong with the first of the others: they hold no film up. */
async function usableCaptions(
  captions: unknown,
): Promise<{ captions: NamedCaptions[]; wrong?: Pick<ImportResult, 'code' | 'detail'> }> {
  if (!matches(CaptionFiles, captions)) return { captions: [] };
  const usable: NamedCaptions[] = [];
  let wrong: Pick<ImportResult, 'code' | 'detail'> | undefined;
  for (const { path, language, kind = 'subtitles' } of captions) {
    if (path === undefined) continue;
    const one = { path, kind, ...(language !== undefined && { language }) };
    try {
      await checkCaptions(one);
      usable.push(one);
    } catch (error) {
      if (!isCoded(error, ...ofOneFile)) throw error;
      wrong ??= { code: error.code, detail: `captions are left out: ${error.detail ?? path}` };
    }
  }
  return { captions: usable, ...(wrong && { wrong }) };
}

/** Uploads the pictures that are wanted. What is wrong with a file is its title's, as with a video. */
async function uploadPictures(
  context: CommandContext,
  artwork: unknown,
  wanted: readonly number[],
): Promise<{ artwork?: unknown[] }> {
  if (!Array.isArray(artwork) || wanted.length === 0) return {};
  const pictures = artwork as { path?: string }[];
  const uploaded: unknown[] = [];
  for (const { path, ...picture } of wanted.flatMap((at) => pictures[at] ?? []))
    if (path !== undefined) uploaded.push({ ...picture, uploadId: await uploadFile(context, path) });
  return { artwork: uploaded };
}

/** Why a video that would be uploaded cannot be. */
async function unreadableOf(path: string | undefined, line: number): Promise<ImportResult | undefined> {
  if (path === undefined) return undefined;
  try {
    await (await openSource(path)).handle.close();
    return undefined;
  } catch (error) {
    return refusedFor(error, line);
  }
}

/** What is wrong with one file holds no other up; what is wrong with the control plane ends the command. */
function refusedFor(error: unknown, line: number): ImportResult {
  if (!isCoded(error, ...ofOneFile)) throw error;
  return { line, outcome: 'refused', code: error.code, detail: error.detail ?? '' };
}

async function send({ api }: CommandContext, body: ImportRequest): Promise<ImportResult[]> {
  const path = '/v1/titles/import';
  const { results } = await api.call({
    ...{ method: 'POST', path, body, reply: ImportReply, timeoutMs: importTimeoutMs },
  });
  return results;
}

function printTally(output: Output, { counts, again, problems }: Tally, { dryRun }: ImportOptions): void {
  const would = dryRun === true ? 'would be ' : '';
  output.table({
    head: [`${would}new`, `${would}changed`, 'as they were', `${would}made anew`, 'passed over'],
    rows: [
      [counts.created, counts.changed, counts.unchanged, again, problems.filter(isMissed).length].map(String),
    ],
    empty: '',
  });
  printProblems(output, problems);
}

function printProblems(output: Output, problems: readonly ImportProblem[]): void {
  if (problems.length === 0) return;
  output.table({
    head: ['file', 'line', 'code', 'why'],
    rows: problems
      .slice(0, problemsShown)
      .map(({ file, line, code, detail }) => [file, String(line ?? ''), code, detail]),
    empty: '',
  });
  if (problems.length > problemsShown)
    output.note(`and ${problems.length - problemsShown} more; --json shows all`);
}

async function showWatched({ api, output }: CommandContext): Promise<void> {
  const { folders } = await api.call({ path: '/v1/titles/import', reply: WatchedFolders });
  output.facts(folders, () => {
    output.table({
      head: ['folder', 'titles', 'looked through', 'problems'],
      rows: folders.map((folder: WatchedFolder) => [
        folder.path,
        String(folder.titles),
        folder.lookedAtMs === undefined ? 'not yet' : new Date(folder.lookedAtMs).toISOString(),
        String(folder.problems.length),
      ]),
      empty: 'No folders are watched. Start the control plane with --watch-folders to watch some.',
    });
    for (const { problems } of folders) printProblems(output, problems);
  });
}

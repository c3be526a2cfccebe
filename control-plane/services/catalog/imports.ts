import {
  ImportEntry,
  type AgainOf,
  type ImportReply,
  type ImportRequest,
  type ImportResult,
} from '../../../common/contract/imports.ts';
import type { TitleMetadata } from '../../../common/contract/title-metadata.ts';
import type { TitleRequest } from '../../../common/contract/titles.ts';
import { coded, toCoded, valueOf } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import type { Artwork } from './artwork.ts';
import { checkMetadata } from './core/check-metadata.ts';
import type { Member } from './core/family.ts';
import { tell, toldOf } from './core/told.ts';
import { takePictures, wantedPictures } from './import-artwork.ts';
import { isAtWork, makingOf } from './making.ts';
import { withMetadata } from './metadata.ts';
import type { Imported, NewSource, NewTitles } from './new-titles.ts';
import type { TitleRecord } from './records.ts';
import { memberOf, type Titles } from './titles.ts';

/** Makes and changes many titles at a time. */
export interface Importer {
  /**
   * Imports entries one after another: what others are part of comes before them. What is wrong with one is said in its result and
   * holds no other up. Repeated, it changes nothing. Errors: those of the store, after which it may be repeated.
   */
  run(request: ImportRequest): Promise<ImportReply>;
}

export interface ImporterDependencies {
  readonly titles: Titles;
  readonly newTitles: NewTitles;
  readonly artwork: Pick<Artwork, 'set'>;
  /** Makes a title and goes on with its source. */
  readonly create: (request: TitleRequest, imported: Imported) => Promise<{ readonly id: string }>;
  /** Takes a title's video anew. Errors: those of a source; CONFLICT while one is at work on it. */
  readonly retake: (id: string, source: NewSource) => Promise<void>;
}

/** Opens imports over the titles. */
export function createImporter(deps: ImporterDependencies): Importer {
  return {
    async run({ entries, dryRun = false, again = [], expected = [] }) {
      const rehearsal = dryRun ? new Rehearsal(deps, again) : undefined;
      for (const one of expected) rehearsal?.expect(one);
      const results: ImportResult[] = [];
      for (const { line, entry: typed, uploads = false } of entries) {
        const result = await judged(async () => {
          const entry = parseAs(ImportEntry, typed, { what: 'the title' });
          return rehearsal === undefined ? apply(deps, entry, again) : rehearsal.judge(entry, uploads);
        });
        results.push({ line, ...result });
      }
      return { results };
    },
  };
}

type Judgement = Omit<ImportResult, 'line'>;

async function judged(work: () => Promise<Judgement>): Promise<Judgement> {
  try {
    return await work();
  } catch (error) {
    const { code, status, detail, title } = toCoded(error);
    if (status >= 500) throw error;
    return { outcome: 'refused', code, detail: detail ?? title };
  }
}

async function apply(
  deps: ImporterDependencies,
  told: ImportEntry,
  again: readonly AgainOf[],
): Promise<Judgement> {
  const { entry, wrong } = await withUsableCaptions(deps, told);
  const judgement = { ...wrong, ...(await applyTitle(deps, entry, again)) };
  if (entry.artwork === undefined || judgement.titleId === undefined) return judgement;
  return withPictures(judgement, await takePictures(deps, judgement.titleId, entry.artwork));
}

/** An entry without the captions that cannot be taken: they hold no film up. What is wrong with a title's own video is said before it. */
async function withUsableCaptions(
  { newTitles }: ImporterDependencies,
  entry: ImportEntry,
): Promise<{ entry: ImportEntry; wrong?: { code: string; detail: string } }> {
  const { captions, ...rest } = entry;
  if (captions === undefined) return { entry };
  const { usable, wrong } = await newTitles.usableCaptions(captions);
  return { entry: { ...rest, captions: usable }, ...(wrong && { wrong }) };
}

/** What is wrong with its video goes before what is wrong with its pictures. */
function withPictures(judgement: Judgement, { code, detail, takesArtwork }: Partial<Judgement>): Judgement {
  const isChanged = takesArtwork !== undefined && judgement.outcome === 'unchanged';
  return {
    ...(code !== undefined && detail !== undefined && { code, detail }),
    ...judgement,
    ...(isChanged && { outcome: 'changed' }),
    ...(takesArtwork !== undefined && { takesArtwork }),
  };
}

async function applyTitle(
  { titles, create, retake }: ImporterDependencies,
  entry: ImportEntry,
  again: readonly AgainOf[],
): Promise<Judgement> {
  const existing = existingOf(entry, titles);
  const parent = entry.partOf === undefined ? undefined : parentOf(entry.partOf, titles);
  if (existing === undefined) {
    const request = requestOf(entry, parent?.id);
    const told = toldOf({ ...toldFields(entry, parent?.id) });
    const { id } = await create(request, { told, ...markedBy(entry) });
    return { outcome: 'created', titleId: id };
  }
  const { id } = existing;
  const video = videoVerdict(existing, entry, { again, uploads: entry.uploadId !== undefined });
  const judgement = { ...judgementOf(existing, merged(existing, entry, parent?.id)), ...video };
  if (merged(existing, entry, parent?.id) !== existing)
    await titles.change(id, (title) => merged(title, entry, parent?.id));
  if (video.takesVideo === true) await retake(id, { ...sourceOf(entry), ...markedBy(entry) });
  return judgement;
}

/** What an import says of a title that there is: told anew of what it knew is no change that anybody sees. */
function judgementOf(before: TitleRecord, after: TitleRecord): Judgement {
  const isSame = before.details === after.details && before.name === after.name;
  return { outcome: isSame ? 'unchanged' : 'changed', titleId: before.id };
}

type Known = Pick<ImportEntry, 'externalIds' | 'formerIds' | 'path'>;

/** The title that an entry tells of: by its ids, else by those of before, else by the very file in a folder. */
function existingOf({ externalIds, formerIds = [], path }: Known, titles: Titles): TitleRecord | undefined {
  const known = titles.ofExternalIds(externalIds) ?? formerly(formerIds, titles);
  const isOfFolder = externalIds.some(isFileId);
  return known ?? (isOfFolder && path !== undefined ? titles.ofPath(path) : undefined);
}

/** The title that has one of these ids of before, and no file's beside: what another folder has made its own since is another title. */
function formerly(formerIds: readonly string[], titles: Titles): TitleRecord | undefined {
  return formerIds
    .map((id) => titles.ofExternalIds([id]))
    .find((title) => title?.details?.externalIds?.every((id) => !isFileId(id) || formerIds.includes(id)));
}

function isFileId(id: string): boolean {
  return id.startsWith('file:');
}

/**
 * Whether a title's video is taken anew: of one that has failed when it is another file now; where that is asked for also of the same
 * file, of one that was withdrawn, and of one that stands but was made of another file. That is told of otherwise, since it is not
 * played until it is made.
 */
function videoVerdict(
  title: TitleRecord,
  { path, videoMark }: ImportEntry,
  { again, uploads }: { again: readonly AgainOf[]; uploads: boolean },
): Pick<Judgement, 'takesVideo' | 'atWork' | 'code' | 'detail'> {
  const { phase, source, name, replacement } = title;
  const { sourceMark } = makingOf(title);
  if (source.kind === 'none' || (path === undefined && !uploads)) return {};
  const isOther = videoMark !== undefined && videoMark !== sourceMark;
  if (phase === 'failed') return isOther || again.includes('failed') ? { takesVideo: true } : {};
  if (phase === 'withdrawn') return again.includes('withdrawn') ? { takesVideo: true } : {};
  if (replacement?.phase === 'failed' && videoMark !== undefined && videoMark !== title.sourceMark) {
    if (isOther || again.includes('failed')) return { takesVideo: true };
    const detail = `${name} is played as it was: the other video has failed (${replacement.error?.code ?? ''}); import it with --again failed to try once more`;
    return { code: 'SOURCE_REPLACED', detail };
  }
  if (replacement?.phase === 'failed' || !isOther || sourceMark === undefined) return {};
  const atWork = isAtWork(title);
  if (again.includes('replaced') && !atWork) return { takesVideo: true };
  const next = atWork
    ? 'import it once that one is done'
    : 'import it with --again replaced to take this one';
  const detail = `${name} is made of another video or with other captions: ${next}`;
  return { code: 'SOURCE_REPLACED', detail, ...(atWork && { atWork }) };
}

function parentOf(partOf: string, titles: Titles): Member {
  const parent = titles.ofExternalIds([partOf]);
  if (parent === undefined) throw coded('TITLE_PARENT_INVALID', `no title has the external id ${partOf}`);
  return memberOf(parent);
}

function requestOf(entry: ImportEntry, parentId: string | undefined): TitleRequest {
  const { name, ...details } = metadataOf(entry, parentId);
  const { assumed } = entry;
  return { name, details, ...sourceOf(entry), ...(assumed !== undefined && { assumed }) };
}

function metadataOf(entry: ImportEntry, parentId: string | undefined): TitleMetadata {
  const { path: _path, uploadId: _uploadId, partOf: _partOf, videoMark: _mark, ...rest } = entry;
  const { assumed: _assumed, formerIds: _formerIds, artwork: _artwork, captions: _captions, ...told } = rest;
  return { ...told, ...(parentId !== undefined && { parentId }) };
}

/** What an entry tells for certain. */
function toldFields(entry: ImportEntry, parentId: string | undefined): Partial<TitleMetadata> {
  const { externalIds: _ids, ...told } = metadataOf(entry, parentId);
  const guesses: readonly string[] = entry.assumed ?? [];
  return Object.fromEntries(Object.entries(told).filter(([field]) => !guesses.includes(field)));
}

function sourceOf({
  path,
  uploadId,
  captions,
}: ImportEntry): Pick<TitleRequest, 'path' | 'uploadId' | 'captions'> {
  return {
    ...(path !== undefined && { path }),
    ...(uploadId !== undefined && { uploadId }),
    ...(captions !== undefined && { captions }),
  };
}

function markedBy({ videoMark }: ImportEntry): { sourceMark?: string } {
  return videoMark === undefined ? {} : { sourceMark: videoMark };
}

/** A title with what an entry tells of it; the very same where that is nothing new. */
function merged(title: TitleRecord, entry: ImportEntry, parentId: string | undefined): TitleRecord {
  const before = { name: title.name, ...title.details };
  const fields = { ...toldFields(entry, parentId), externalIds: entry.externalIds };
  const { after, told } = tell(before, { fields, told: title.told });
  // Of titles of before it is not known what they were made of: of what lies there.
  const mark = title.sourceMark === undefined && title.phase !== 'failed' ? markedBy(entry) : {};
  const marked = mark.sourceMark === undefined ? title : { ...title, ...mark };
  if (after === before) return marked;
  const checked = valueOf(checkMetadata(after));
  const isSame = JSON.stringify(checked) === JSON.stringify(inOrder(before));
  return { ...(isSame ? marked : withMetadata(marked, checked)), told };
}

/** Records of titles may hold fields in an order of before. */
function inOrder(metadata: TitleMetadata): TitleMetadata {
  const checked = checkMetadata(metadata);
  return checked.ok ? checked.value : metadata;
}

/** What an import would do, with the titles that it would have made by then. */
class Rehearsal {
  readonly #deps: ImporterDependencies;
  readonly #again: readonly AgainOf[];
  readonly #byExternalId = new Map<string, Member>();
  readonly #byId = new Map<string, Member>();

  constructor(deps: ImporterDependencies, again: readonly AgainOf[]) {
    this.#deps = deps;
    this.#again = again;
  }

  /** Takes note of what an entry would have made or known again: others may be part of it by its new ids. */
  expect(entry: Known & Pick<ImportEntry, 'kind'>): void {
    const existing = existingOf(entry, this.#deps.titles);
    if (existing !== undefined) this.#note(entry, memberOf(existing));
    else {
      const member = { id: `title_expected${this.#byId.size}`, kind: entry.kind ?? 'movie' };
      this.#byId.set(member.id, member);
      this.#note(entry, member);
    }
  }

  #note({ externalIds }: Known, member: Member): void {
    for (const one of externalIds) this.#byExternalId.set(one, member);
  }

  async judge(entry: ImportEntry, uploads: boolean): Promise<Judgement> {
    const judgement = await this.#judgeTitle(entry, uploads);
    const takesArtwork = wantedPictures(existingOf(entry, this.#deps.titles), entry.artwork);
    return withPictures(judgement, takesArtwork.length > 0 ? { takesArtwork } : {});
  }

  async #judgeTitle(entry: ImportEntry, uploads: boolean): Promise<Judgement> {
    const { titles, newTitles } = this.#deps;
    const { partOf, externalIds } = entry;
    const existing = existingOf(entry, titles);
    const expectedParent = partOf === undefined ? undefined : this.#byExternalId.get(partOf);
    const parent = partOf === undefined ? undefined : (expectedParent ?? parentOf(partOf, titles));
    const find = (id: string): Member | undefined => this.#byId.get(id);
    if (existing !== undefined) {
      const changed = merged(existing, entry, parent?.id);
      titles.check(changed, find);
      this.#note(entry, memberOf(existing));
      return {
        ...judgementOf(existing, changed),
        ...videoVerdict(existing, entry, { again: this.#again, uploads }),
      };
    }
    const twin = externalIds.find((one) => this.#byExternalId.has(one));
    if (twin !== undefined) throw coded('TITLE_EXTERNAL_ID_TAKEN', `${twin} is of an earlier entry`);
    const title = await newTitles.rehearse(requestOf(entry, parent?.id), { uploads });
    titles.check(title, find);
    this.expect(entry);
    return { outcome: 'created', ...(title.source.kind !== 'none' && { takesVideo: true }) };
  }
}

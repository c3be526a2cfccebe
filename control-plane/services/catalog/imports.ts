import {
  ImportEntry,
  type ImportReply,
  type ImportRequest,
  type ImportResult,
} from '../../../common/contract/imports.ts';
import type { TitleMetadata } from '../../../common/contract/title-metadata.ts';
import type { TitleRequest } from '../../../common/contract/titles.ts';
import { coded, toCoded, valueOf } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { checkMetadata } from './core/check-metadata.ts';
import type { Member } from './core/family.ts';
import { withMetadata } from './metadata.ts';
import type { NewTitles } from './new-titles.ts';
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
  /** Makes a title and goes on with its source. */
  readonly create: (request: TitleRequest) => Promise<{ readonly id: string }>;
}

/** Opens imports over the titles. */
export function createImporter(deps: ImporterDependencies): Importer {
  return {
    async run({ entries, dryRun = false, expected = [] }) {
      const rehearsal = dryRun ? new Rehearsal(deps) : undefined;
      for (const one of expected) rehearsal?.expect(one);
      const results: ImportResult[] = [];
      for (const { line, entry: typed, uploads = false } of entries) {
        const result = await judged(async () => {
          const entry = parseAs(ImportEntry, typed, { what: 'the title' });
          return rehearsal === undefined ? apply(deps, entry) : rehearsal.judge(entry, uploads);
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

async function apply({ titles, create }: ImporterDependencies, entry: ImportEntry): Promise<Judgement> {
  const existing = titles.ofExternalIds(entry.externalIds);
  const parent = entry.partOf === undefined ? undefined : parentOf(entry.partOf, titles);
  if (existing === undefined) {
    const { id } = await create(requestOf(entry, parent?.id));
    return { outcome: 'created', titleId: id };
  }
  const changed = merged(existing, entry, parent?.id);
  if (changed === existing) return { outcome: 'unchanged', titleId: existing.id };
  await titles.change(existing.id, (title) => merged(title, entry, parent?.id));
  return { outcome: 'changed', titleId: existing.id };
}

function parentOf(partOf: string, titles: Titles): Member {
  const parent = titles.ofExternalIds([partOf]);
  if (parent === undefined) throw coded('TITLE_PARENT_INVALID', `no title has the external id ${partOf}`);
  return memberOf(parent);
}

function requestOf(entry: ImportEntry, parentId: string | undefined): TitleRequest {
  const { name, path, uploadId, partOf: _partOf, ...details } = entry;
  return {
    ...{ name, details: { ...details, ...(parentId !== undefined && { parentId }) } },
    ...(path !== undefined && { path }),
    ...(uploadId !== undefined && { uploadId }),
  };
}

/** A title with what an entry tells of it; the very same where that is nothing new. */
function merged(title: TitleRecord, entry: ImportEntry, parentId: string | undefined): TitleRecord {
  const { name, details: told = {} } = requestOf(entry, parentId);
  const before = { name: title.name, ...title.details };
  const externalIds = [...new Set([...(before.externalIds ?? []), ...entry.externalIds])];
  const after = valueOf(checkMetadata({ ...before, ...told, name, externalIds }));
  return JSON.stringify(after) === JSON.stringify(inOrder(before)) ? title : withMetadata(title, after);
}

/** Records of titles may hold fields in an order of before. */
function inOrder(metadata: TitleMetadata): TitleMetadata {
  const checked = checkMetadata(metadata);
  return checked.ok ? checked.value : metadata;
}

/** What an import would do, with the titles that it would have made by then. */
class Rehearsal {
  readonly #deps: ImporterDependencies;
  readonly #byExternalId = new Map<string, Member>();
  readonly #byId = new Map<string, Member>();

  constructor(deps: ImporterDependencies) {
    this.#deps = deps;
  }

  expect({ externalIds, kind = 'movie' }: Pick<ImportEntry, 'externalIds' | 'kind'>): Member {
    const member = { id: `title_expected${this.#byId.size}`, kind };
    this.#byId.set(member.id, member);
    for (const one of externalIds) this.#byExternalId.set(one, member);
    return member;
  }

  async judge(entry: ImportEntry, uploads: boolean): Promise<Judgement> {
    const { titles, newTitles } = this.#deps;
    const { partOf, externalIds } = entry;
    const existing = titles.ofExternalIds(externalIds);
    const expectedParent = partOf === undefined ? undefined : this.#byExternalId.get(partOf);
    const parent = partOf === undefined ? undefined : (expectedParent ?? parentOf(partOf, titles));
    const find = (id: string): Member | undefined => this.#byId.get(id);
    if (existing !== undefined) {
      const changed = merged(existing, entry, parent?.id);
      titles.check(changed, find);
      return { outcome: changed === existing ? 'unchanged' : 'changed', titleId: existing.id };
    }
    const twin = externalIds.find((one) => this.#byExternalId.has(one));
    if (twin !== undefined) throw coded('TITLE_EXTERNAL_ID_TAKEN', `${twin} is of an earlier entry`);
    const title = await newTitles.rehearse(requestOf(entry, parent?.id), { uploads });
    titles.check(title, find);
    this.expect(entry);
    return { outcome: 'created' };
  }
}

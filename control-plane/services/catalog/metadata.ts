import { createHash } from 'node:crypto';
import type { TitleMetadata, TitleMetadataView } from '../../../common/contract/title-metadata.ts';
import type { SourceTags } from '../../../common/contract/titles.ts';
import { evaluatePreconditions } from '../../../common/core/conditional.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import { checkMetadata } from './core/check-metadata.ts';
import { withTags, type Guessed } from './core/tags.ts';
import { holdsOthers } from './core/family.ts';
import type { TitleRecord } from './records.ts';
import { kindOf, type Titles } from './titles.ts';

/** Metadata of titles, changed by several at a time without one losing what another has done. */
export interface MetadataEditor {
  /** Errors: TITLE_UNKNOWN. */
  read(id: string): TitleMetadataView;
  /**
   * Puts all of a title's metadata. `ifMatch`: the header, with the tag of what the change was made upon. Errors: PRECONDITION_REQUIRED
   * without it, PRECONDITION_FAILED when they have changed since; TITLE_UNKNOWN, TITLE_TEXT_INVALID, INVALID (no such language),
   * TITLE_KIND_FIXED, TITLE_PARENT_INVALID, TITLE_CYCLE, TITLE_EXTERNAL_ID_TAKEN.
   */
  put(id: string, metadata: TitleMetadata, ifMatch: string | undefined): Promise<TitleMetadataView>;
}

/** Opens the metadata of titles. */
export function createMetadataEditor(titles: Titles): MetadataEditor {
  return {
    read: (id) => viewOf(titles.get(id)),
    async put(id, typed, ifMatch) {
      titles.get(id);
      if (ifMatch === undefined)
        throw coded('PRECONDITION_REQUIRED', 'send the etag that you have read as the header if-match');
      const metadata = valueOf(checkMetadata(typed));
      const changed = await titles.change(id, (title) => {
        const { etag } = viewOf(title);
        if (evaluatePreconditions({ ifMatch }, { etag, lastModifiedMs: 0 }) === 'precondition-failed')
          throw coded('PRECONDITION_FAILED', `its etag is ${etag} now: read it again and repeat the change`);
        return withMetadata(title, metadata);
      });
      return viewOf(changed);
    },
  };
}

/** A title with these metadata, as `checkMetadata` makes them: what is other than before is no guess. Errors: TITLE_KIND_FIXED. */
export function withMetadata(title: TitleRecord, { name, ...details }: TitleMetadata): TitleRecord {
  const { year, kind } = title.details ?? {};
  const isHeld = { name: name === title.name, year: details.year === year, kind: details.kind === kind };
  const left = title.assumed?.filter((field) => isHeld[field]);
  const next = withAssumed({ ...title, name, details }, left);
  if (holdsOthers(kindOf(next)) !== (title.source.kind === 'none'))
    throw coded('TITLE_KIND_FIXED', `${kindOf(title)} cannot become ${kindOf(next)}`);
  return next;
}

/** A title with what its file's tags tell where nothing better is known. */
export function taggedTitle(title: TitleRecord, tags: SourceTags): TitleRecord {
  const before = { metadata: { name: title.name, ...title.details }, assumed: title.assumed ?? [] };
  const { metadata, assumed } = withTags(before, tags);
  return metadata === before.metadata ? title : withAssumed(withMetadata(title, metadata), assumed);
}

function withAssumed({ assumed: _, ...title }: TitleRecord, left: Guessed['assumed'] = []): TitleRecord {
  return { ...title, ...(left.length > 0 && { assumed: [...left] }) };
}

function viewOf({ name, details }: TitleRecord): TitleMetadataView {
  const metadata = { name, ...details };
  // Fields are kept in one order: the same metadata are the same text.
  const hash = createHash('sha256').update(JSON.stringify(metadata)).digest('base64url');
  return { etag: `"${hash.slice(0, 22)}"`, metadata };
}

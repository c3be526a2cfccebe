import type { AssumedField, TitleMetadata } from '../../../../common/contract/title-metadata.ts';
import type { SourceTags } from '../../../../common/contract/titles.ts';
import { checkMetadata } from './check-metadata.ts';

/** A title's metadata, and which of them are guesses. */
export interface Guessed {
  readonly metadata: TitleMetadata;
  readonly assumed: readonly AssumedField[];
}

/**
 * A title's metadata with what its file's own tags tell where nothing better is known: in place of guesses, and of what nobody has told.
 * Each tag is judged by itself; one that no title may have is passed over.
 */
export function withTags({ metadata, assumed }: Guessed, tags: SourceTags): Guessed {
  const guesses: readonly string[] = assumed;
  const isPart = metadata.kind === 'episode' || metadata.kind === 'extra';
  let known = metadata;
  const taken: string[] = [];
  for (const [field, value] of Object.entries(tags)) {
    const isKnown = known[field as keyof SourceTags] !== undefined && !guesses.includes(field);
    if (isKnown || (field === 'number' && !isPart)) continue;
    const checked = checkMetadata({ ...known, [field]: value });
    if (!checked.ok) continue;
    known = checked.value;
    taken.push(field);
  }
  return { metadata: known, assumed: assumed.filter((field) => !taken.includes(field)) };
}

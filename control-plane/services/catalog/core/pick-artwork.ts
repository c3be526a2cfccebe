import type { ArtworkKind } from '../../../../common/contract/artwork.ts';
import { pickLanguage } from '../../../../common/core/language.ts';

/** Which pictures are wanted. */
export interface ArtworkWish {
  /** Best first. */
  readonly languages: readonly string[];
  /** All where it is absent. */
  readonly kinds?: readonly string[] | undefined;
}

interface Candidate {
  readonly kind: ArtworkKind;
  readonly language?: string | undefined;
}

const kinds: readonly ArtworkKind[] = ['poster', 'backdrop', 'logo', 'still'];

/**
 * Of each kind one picture: in the first of the wanted languages that there is, else without words in it, else the first there is. What a
 * title lacks is taken from what it is part of, its still aside, which is of its own video.
 *
 * @param family the pictures of the title, then of what it is part of, nearest first.
 */
export function pickArtwork<Of extends Candidate>(
  family: readonly (readonly Of[])[],
  { languages, kinds: wanted = kinds }: ArtworkWish,
): Of[] {
  return kinds
    .filter((kind) => wanted.includes(kind))
    .flatMap((kind) => {
      const levels = kind === 'still' ? family.slice(0, 1) : family;
      const nearest = levels.map((level) => level.filter((one) => one.kind === kind));
      const there = nearest.find((level) => level.length > 0);
      const picked = there && pickOne(there, languages);
      return picked === undefined ? [] : [picked];
    });
}

/** The last of one language is the newest. */
function pickOne<Of extends Candidate>(there: readonly Of[], languages: readonly string[]): Of | undefined {
  const language = pickLanguage(
    languages,
    there.flatMap((one) => one.language ?? []),
  );
  return (
    (language === undefined ? undefined : there.findLast((one) => one.language === language)) ??
    there.findLast((one) => one.language === undefined) ??
    there[0]
  );
}

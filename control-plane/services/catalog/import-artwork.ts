import type { ImportPicture, ImportResult } from '../../../common/contract/imports.ts';
import { toCoded } from '../../../common/runtime/errors.ts';
import type { Artwork } from './artwork.ts';
import type { TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';

type Verdict = Pick<ImportResult, 'takesArtwork' | 'code' | 'detail'>;

/** Which of the pictures that an import tells of a title are taken: what it has not told of before, or otherwise. */
export function wantedPictures(
  title: Pick<TitleRecord, 'told'> | undefined,
  artwork: readonly ImportPicture[] = [],
): number[] {
  return artwork.flatMap((one, at) => {
    const isTold = one.mark !== undefined && title?.told?.[keyOf(one)] === one.mark;
    return isTold ? [] : [at];
  });
}

/**
 * Takes the pictures that an import tells of a title anew; what is wrong with one is said and holds nothing up. What somebody has set or removed
 * since stays so, until the import tells something new. Errors: those of the store.
 */
export async function takePictures(
  { titles, artwork }: { titles: Titles; artwork: Pick<Artwork, 'set'> },
  titleId: string,
  told: readonly ImportPicture[] = [],
): Promise<Verdict> {
  const taken: number[] = [];
  let wrong: Verdict = {};
  for (const at of wantedPictures(titles.get(titleId), told)) {
    const { mark, ...picture } = told[at] ?? { kind: 'poster' };
    if (picture.path === undefined && picture.uploadId === undefined) continue;
    try {
      const { isNew } = await artwork.set(titleId, picture, mark);
      if (isNew) taken.push(at);
      if (mark !== undefined)
        await titles.change(titleId, (title) => ({
          ...title,
          told: { ...title.told, [keyOf(picture)]: mark },
        }));
    } catch (error) {
      const { code, status, detail, title } = toCoded(error);
      if (status >= 500) throw error;
      wrong = { code, detail: `${picture.kind} ${picture.path ?? ''}: ${detail ?? title}` };
    }
  }
  return { ...(taken.length > 0 && { takesArtwork: taken }), ...wrong };
}

function keyOf({ kind, language = '' }: Pick<ImportPicture, 'kind' | 'language'>): string {
  return `artwork ${kind} ${language}`;
}

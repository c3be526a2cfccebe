import type { ArtworkKind } from '../../contract/artwork.ts';

/** A picture of a title, as an import tells of it. */
export interface ImportedPicture {
  readonly kind: ArtworkKind;
  readonly path: string;
}

// As Kodi and others call them, the better known name first.
const names: Readonly<Record<ArtworkKind, readonly string[]>> = {
  poster: ['poster', 'folder', 'cover'],
  backdrop: ['fanart', 'backdrop'],
  logo: ['clearlogo', 'logo'],
  still: ['thumb', 'landscape'],
};
const kinds = ['poster', 'backdrop', 'logo', 'still'] as const satisfies readonly ArtworkKind[];
const picturePath = /\.(?:jpe?g|png|webp)$/i;

/** The pictures of a folder, found by their names. */
export class FolderPictures {
  /** By path without its ending, in small letters. */
  readonly #paths = new Map<string, string>();

  constructor(paths: Iterable<string>) {
    for (const path of paths)
      if (picturePath.test(path)) this.#paths.set(path.replace(picturePath, '').toLowerCase(), path);
  }

  /**
   * The pictures whose names begin so: `film-` beside `film.mkv`, the folder where the film is alone in it. The first beginning counts
   * first. `still`: the whole name of one that is one by itself, as `film` of `film.jpg`.
   */
  beginningWith(beginnings: readonly string[], still?: string): ImportedPicture[] {
    return kinds.flatMap((kind) => {
      const wanted = beginnings.flatMap((beginning) => names[kind].map((name) => beginning + name));
      if (kind === 'still' && still !== undefined) wanted.push(still);
      const path = wanted.map((one) => this.#paths.get(one.toLowerCase())).find((one) => one !== undefined);
      return path === undefined ? [] : [{ kind, path }];
    });
  }
}

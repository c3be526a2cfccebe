import { createHash } from 'node:crypto';
import type { Result } from '../result.ts';
import { FolderCaptions } from './folder-captions.ts';
import { FolderPictures, type ImportedPicture } from './folder-pictures.ts';
import { brokenLine, type ImportLine } from './lines.ts';
import type { Nfo } from './read-nfo.ts';

const videoEndings = 'mp4|m4v|mkv|mov|webm|avi|ts|m2ts|mts|mpg|mpeg|wmv|flv|ogv';
const videoPath = new RegExp(`\\.(?:${videoEndings})$`, 'i');
/** As Kodi and others call folders of what belongs to a film. */
const extrasFolder =
  /^(?:extras?|featurettes|trailers?|interviews|deleted scenes|behind the scenes|shorts|scenes)$/i;
const numbered = /s(\d{1,4})[ ._-]{0,3}e(\d{1,4})|(?:^|[ ._-])(\d{1,2})x(\d{1,3})(?:[ ._-]|$)/i;
const idCharactersMax = 200;

/** Whether a file is a video, by its name. */
export function isVideo(path: string): boolean {
  return videoPath.test(path);
}

/** A video's path without its ending, as names of what lies beside it begin. */
export function withoutEnding(path: string): string {
  return path.replace(videoPath, '');
}

/** An NFO file, by the path of which it is told. */
export type NfoFiles = ReadonlyMap<string, Result<Nfo>>;

interface LabelledNfos {
  readonly nfos: NfoFiles;
  readonly label: string;
  readonly formerLabels: readonly string[];
}

/**
 * The titles of a folder, by the paths of its files (with `/`, from the folder on) and the NFO files among them, as Kodi lays them
 * out: beside `film.mkv` stands `film.nfo`, or `movie.nfo` where the film is alone; what is below a `tvshow.nfo` are episodes, which
 * say in their names (`S01E02`, `1x02`), else in their own NFO, which ones they are. A video without NFO is called as its file, which
 * is a guess. Each is known again by the ids in its NFO and by its path behind the folder's label; `path` of an entry is its video's.
 * `formerLabels` are what else the folder may have been known by, the empty text being none: by those ids too a title is known again.
 */
export function* folderEntries(paths: readonly string[], labelled: LabelledNfos): Generator<ImportLine> {
  const { nfos } = labelled;
  const folder = new Folder(paths, labelled);
  const shows = [...nfos]
    .filter(([path]) => baseOf(path) === 'tvshow.nfo')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, nfo] of shows) yield folder.showLine(path, nfo);
  const seasons = new Set<string>();
  for (const path of folder.videos.sort()) yield* folder.linesOf(path, seasons);
}

interface Show {
  /** The path of its NFO file. */
  readonly path: string;
  readonly ids: readonly string[];
  readonly formerIds: readonly string[];
  readonly nfo: Nfo;
}

class Folder {
  readonly #paths: ReadonlySet<string>;
  readonly #nfos: NfoFiles;
  readonly #label: string;
  readonly #formerLabels: readonly string[];
  readonly #pictures: FolderPictures;
  readonly #captions: FolderCaptions;
  readonly videos: string[];
  /** Films of each folder, extras aside. */
  readonly #films = new Map<string, string[]>();

  constructor(paths: readonly string[], { nfos, label, formerLabels }: LabelledNfos) {
    this.#paths = new Set(paths);
    this.#pictures = new FolderPictures(paths);
    this.#nfos = nfos;
    this.#label = label;
    this.#formerLabels = formerLabels;
    this.videos = paths.filter(isVideo);
    this.#captions = new FolderCaptions(paths, this.videos.map(withoutEnding));
    for (const path of this.videos) {
      const films = this.#films.get(folderOf(path));
      if (films === undefined) this.#films.set(folderOf(path), [path]);
      else films.push(path);
    }
  }

  /** A video's title, behind the season that it is the first of. */
  linesOf(path: string, seasons: Set<string>): ImportLine[] {
    const own = this.#nfoOf(path);
    if (own?.ok === false) return [brokenLine({ file: own.path, line: 1 }, own.detail, own.code)];
    const show = this.#showOf(path);
    if (show === 'broken')
      return [brokenLine({ file: path, line: 1 }, 'the tvshow.nfo above it cannot be read')];
    const at = { file: own?.path ?? path, line: 1 };
    if (extrasFolder.test(baseOf(folderOf(path)))) return [this.#extra(path, own?.value, show)];
    if (show === undefined) {
      if (own?.value.kind === 'episodedetails')
        return [brokenLine(at, 'it is of an episode, but no folder above it has a tvshow.nfo')];
      return [
        this.#titleLine(at, { path, nfo: own?.value, more: own === undefined ? {} : { kind: 'movie' } }),
      ];
    }
    const place = placeOf(path, own?.value);
    if (place === undefined)
      return [brokenLine(at, 'neither its name (as S01E02) nor an NFO says which episode it is')];
    const partOf = seasonId(show, place.season);
    const more = { kind: 'episode', number: place.episode, partOf };
    const episode = this.#titleLine(at, { path, nfo: own?.value, more });
    if (seasons.has(partOf)) return [episode];
    seasons.add(partOf);
    const pictures = this.#pictures.beginningWith([seasonBeginning(show, place.season)]);
    return [seasonLine(show, { number: place.season, file: at.file, pictures }), episode];
  }

  #extra(path: string, nfo: Nfo | undefined, show: Show | undefined): ImportLine {
    const films = this.#films.get(folderOf(folderOf(path))) ?? [];
    const [film] = films;
    const partOf = show?.ids[0] ?? (film === undefined ? undefined : this.#idsOf(film)[0]);
    if (partOf === undefined || (show === undefined && films.length > 1))
      return brokenLine(
        { file: path, line: 1 },
        'it belongs to one film in the folder above, of which there is none or several',
      );
    return this.#titleLine({ file: path, line: 1 }, { path, nfo, more: { kind: 'extra', partOf } });
  }

  #idsOf(path: string): string[] {
    const own = this.#nfoOf(path);
    return [...(own?.ok === true ? own.value.externalIds : []), this.#fileId(path)];
  }

  #nfoOf(path: string): (Result<Nfo> & { path: string }) | undefined {
    const beside = path.replace(videoPath, '.nfo');
    const alone = this.#films.get(folderOf(path))?.length === 1 ? join(folderOf(path), 'movie.nfo') : '';
    const found = [beside, alone].find((one) => this.#paths.has(one) && this.#nfos.has(one));
    const nfo = found === undefined ? undefined : this.#nfos.get(found);
    return found === undefined || nfo === undefined ? undefined : { ...nfo, path: found };
  }

  #showOf(path: string): Show | 'broken' | undefined {
    for (let folder = folderOf(path); ; folder = folderOf(folder)) {
      const nfo = this.#nfos.get(join(folder, 'tvshow.nfo'));
      if (nfo?.ok === false) return 'broken';
      if (nfo !== undefined) return this.#showOfNfo(join(folder, 'tvshow.nfo'), nfo.value);
      if (folder === '') return undefined;
    }
  }

  showLine(path: string, nfo: Result<Nfo>): ImportLine {
    const at = { file: path, line: 1 };
    if (!nfo.ok) return brokenLine(at, nfo.detail, nfo.code);
    const { ids: externalIds, formerIds } = this.#showOfNfo(path, nfo.value);
    const named = guessed(nameOf(folderOf(path)), nfo.value.told);
    const pictures = withPictures(this.#pictures.beginningWith([join(folderOf(path), '')]));
    return { ...at, read: { entry: { ...named, kind: 'series', externalIds, formerIds, ...pictures } } };
  }

  #showOfNfo(path: string, nfo: Nfo): Show {
    return { path, ids: [...nfo.externalIds, this.#fileId(path)], formerIds: this.#formerIds(path), nfo };
  }

  #titleLine(
    at: Pick<ImportLine, 'file' | 'line'>,
    { path, nfo, more }: { path: string; nfo: Nfo | undefined; more: object },
  ): ImportLine {
    const externalIds = [...(nfo?.externalIds ?? []), this.#fileId(path)];
    const guess = { ...nameOf(path.replace(videoPath, '')), ...(nfo === undefined && { kind: 'movie' }) };
    const named = guessed(guess, { ...nfo?.told, ...more });
    const captions = this.#captions.of(withoutEnding(path));
    const rest = {
      ...{ formerIds: this.#formerIds(path), path, ...withPictures(this.#picturesOf(path)) },
      ...(captions.length > 0 && { captions }),
    };
    return { ...at, read: { entry: { ...named, externalIds, ...rest } } };
  }

  /** `film-poster.jpg` beside `film.mkv`, `poster.jpg` where the film is alone and no show's. */
  #picturesOf(path: string): ImportedPicture[] {
    const base = path.replace(videoPath, '');
    const isAlone = this.#films.get(folderOf(path))?.length === 1 && this.#showOf(path) === undefined;
    const isExtra = extrasFolder.test(baseOf(folderOf(path)));
    const ofFolder = isAlone && !isExtra ? [join(folderOf(path), '')] : [];
    return this.#pictures.beginningWith([`${base}-`, ...ofFolder], base);
  }

  #fileId(path: string): string {
    return fileId(path, this.#label);
  }

  #formerIds(path: string): string[] {
    return this.#formerLabels.map((label) => fileId(path, label));
  }
}

/** The external id of a file by its path in a folder of this label, the empty text being none. */
function fileId(path: string, label: string): string {
  const isPlain = path.length <= idCharactersMax && !/[\p{Cc}\u2028-\u202e\u2066-\u2069]|^\s/u.test(path);
  const known = isPlain ? path : createHash('sha256').update(path).digest('hex');
  return `file:${label}${label === '' ? '' : '/'}${known}`;
}

/** What is told, with what is guessed of the rest; `assumed` names the guesses. */
function guessed(guess: object, told: object): object {
  const assumed = Object.keys(guess).filter((field) => !Object.hasOwn(told, field));
  return { ...guess, ...told, ...(assumed.length > 0 && { assumed }) };
}

function seasonId({ ids }: Show, season: number): string {
  return `${ids[0] ?? ''}/season/${season}`;
}

/** As `Show/season01-` of `season01-poster.jpg`. */
function seasonBeginning({ path }: Show, season: number): string {
  const name = season === 0 ? 'season-specials' : `season${String(season).padStart(2, '0')}`;
  return join(folderOf(path), `${name}-`);
}

function withPictures(artwork: readonly ImportedPicture[]): { artwork?: readonly ImportedPicture[] } {
  return artwork.length === 0 ? {} : { artwork };
}

function seasonLine(
  show: Show,
  { number, file, pictures }: { number: number; file: string; pictures: readonly ImportedPicture[] },
): ImportLine {
  const name = number === 0 ? 'Specials' : `Season ${number}`;
  const entry = {
    ...guessed({ name }, show.nfo.seasons.get(number) ?? {}),
    ...{ kind: 'season', number, partOf: show.ids[0] ?? '' },
    externalIds: show.ids.map((id) => `${id}/season/${number}`),
    formerIds: show.formerIds.map((id) => `${id}/season/${number}`),
    ...withPictures(pictures),
  };
  return { file, line: 1, read: { entry } };
}

/** Which episode a video is; its name counts before its NFO, as with Kodi. */
function placeOf(path: string, nfo: Nfo | undefined): { season: number; episode: number } | undefined {
  const [, s, e, oldS, oldE] = numbered.exec(baseOf(path)) ?? [];
  const [season, episode] = [s ?? oldS, e ?? oldE];
  if (season !== undefined && episode !== undefined)
    return { season: Number(season), episode: Number(episode) };
  if (nfo?.season === undefined || nfo.episode === undefined) return undefined;
  return { season: nfo.season, episode: nfo.episode };
}

/** `Some.Film (1999)` is called Some Film, of 1999. */
function nameOf(path: string): { name: string; year?: number } {
  const base = baseOf(path);
  const spaced = base.includes(' ') ? base : base.replaceAll(/[._]/g, ' ');
  const [, name = spaced, year] = /^(.+?)\s*[([](\d{4})[)\]]/.exec(spaced) ?? [];
  return { name: name.slice(0, idCharactersMax), ...(year !== undefined && { year: Number(year) }) };
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

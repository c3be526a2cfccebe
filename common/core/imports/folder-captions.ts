import type { CaptionKind } from '../../contract/bundle.ts';
import { captionFilesMax } from '../../contract/titles.ts';
import { languageOf } from '../language.ts';

/** A file of captions beside a video, as its name tells of it. */
export interface FoundCaptions {
  readonly path: string;
  /** Absent where its name says none. */
  readonly language?: string;
  readonly kind: CaptionKind;
}

// Of two of the same language and kind the first of these counts.
const endings = ['vtt', 'srt', 'ass', 'ssa'];
const captionPath = new RegExp(`\\.(${endings.join('|')})$`, 'i');
/** As Plex and Kodi call folders beside a video. */
const captionFolder = /(?:^|\/)(?:subs|subtitles)$/i;
const partsMax = 12;

/** Whether a file may hold captions, by its name. */
export function isCaptions(path: string): boolean {
  return captionPath.test(path);
}

/** Whether a folder beside videos holds their captions, by its name. */
export function isCaptionFolder(name: string): boolean {
  return captionFolder.test(name);
}

interface Named extends FoundCaptions {
  /** Parts of its name that say nothing that is known. */
  readonly unknown: number;
}

/**
 * The captions of a folder, found by their names as Plex, Jellyfin and Kodi read them: `film.srt`, `film.en.srt`, `film.pt-BR.forced.srt`,
 * `film.German.sdh.vtt` beside `film.mkv`, or in a folder `Subs` or `Subtitles` there. Between the film's name and the ending stand
 * languages (the last counts) and `forced` or `foreign`, `sdh`, `cc` or `hi` (which is Hindi where no other language is named), in any
 * order. Those of a commentary are left out. Names of films are compared in small letters, and the longest counts.
 */
export class FolderCaptions {
  /** By the video's path without its ending, in small letters. */
  readonly #ofVideo = new Map<string, Named[]>();

  /** `videos`: paths without their endings. */
  constructor(paths: Iterable<string>, videos: Iterable<string>) {
    const known = new Set([...videos].map((video) => video.toLowerCase()));
    for (const path of paths) {
      const found = captionPath.test(path) ? placed(path, known) : undefined;
      const named = found && readName(path, found.parts);
      if (found === undefined || named === undefined) continue;
      const others = this.#ofVideo.get(found.video);
      if (others === undefined) this.#ofVideo.set(found.video, [named]);
      else others.push(named);
    }
  }

  /** Of a video, by its path without the ending: one of each language and kind, in the order of their paths. */
  of(video: string): FoundCaptions[] {
    const best = new Map<string, Named>();
    for (const one of (this.#ofVideo.get(video.toLowerCase()) ?? []).sort(byName)) {
      const key = `${one.language ?? ''} ${one.kind}`;
      const other = best.get(key);
      if (other === undefined || rankOf(one) < rankOf(other)) best.set(key, one);
    }
    return [...best.values()]
      .sort(byName)
      .slice(0, captionFilesMax)
      .map(({ unknown: _, ...found }) => found);
  }
}

function byName({ path: one }: Named, { path: other }: Named): number {
  return one < other ? -1 : 1;
}

function rankOf({ path, unknown }: Named): number {
  const [, ending = ''] = captionPath.exec(path) ?? [];
  return unknown * endings.length + endings.indexOf(ending.toLowerCase());
}

/** Of which video a file is, and what its name says beside that video's. */
function placed(path: string, videos: ReadonlySet<string>): { video: string; parts: string[] } | undefined {
  const plain = path.toLowerCase().replace(captionPath, '');
  const at = plain.lastIndexOf('/');
  const folder = plain.slice(0, Math.max(0, at));
  const name = plain.slice(at + 1);
  const above = folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
  const folders = captionFolder.test(folder) ? [folder, above] : [folder];
  for (
    let end = name.length, parts = 0;
    end > 0 && parts <= partsMax;
    end = name.lastIndexOf('.', end - 1), parts++
  )
    for (const one of folders) {
      const video = one === '' ? name.slice(0, end) : `${one}/${name.slice(0, end)}`;
      if (videos.has(video))
        return {
          video,
          parts: name
            .slice(end + 1)
            .split('.')
            .filter(Boolean),
        };
    }
  return undefined;
}

function readName(path: string, parts: readonly string[]): Named | undefined {
  const languages = parts.filter((part) => !flags.has(part)).flatMap((part) => spokenLanguage(part) ?? []);
  const language = languages.at(-1) ?? (parts.includes('hi') ? 'hi' : undefined);
  const has = (...flags: string[]): boolean => flags.some((flag) => parts.includes(flag));
  if (has('commentary', 'comment')) return undefined;
  const isSdh = has('sdh', 'cc') || (has('hi') && languages.length > 0);
  const kind = has('forced', 'foreign') ? 'forced' : isSdh ? 'captions' : 'subtitles';
  const unknown = parts.filter((part) => !flags.has(part) && spokenLanguage(part) === undefined).length;
  return { path, ...(language !== undefined && { language }), kind, unknown };
}

const flags: ReadonlySet<string> = new Set(['default', 'forced', 'foreign', 'sdh', 'cc', 'hi']);

/** The language that a part of a name tells, as `de` of `ger`, `de`, `de-DE`, `german`, `deutsch`. */
function spokenLanguage(part: string): string | undefined {
  const named = languageNames().get(part);
  if (named !== undefined) return named;
  if (!/^[a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,2}$/.test(part)) return undefined;
  const read = languageOf(part.replaceAll('_', '-'));
  if (!read.ok || read.value === 'und') return undefined;
  return englishNames.of(read.value) === undefined ? undefined : read.value;
}

// Without a fallback what is no language has no name.
const englishNames = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });
// What people write out in names of files.
const writtenOut =
  'ar bg bn ca cs da de el en es et eu fa fi fr gl he hi hr hu id is it ja ko lt lv ms nb nl no pl pt ro ru sk sl sr sv ta te th tr uk vi zh';
let names: ReadonlyMap<string, string> | undefined;

/** Names of languages in English and in themselves, in small letters. */
function languageNames(): ReadonlyMap<string, string> {
  names ??= new Map(
    writtenOut.split(' ').flatMap((language) => {
      const own = new Intl.DisplayNames([language], { type: 'language', fallback: 'none' }).of(language);
      return [englishNames.of(language), own].flatMap((name): [string, string][] =>
        name === undefined ? [] : [[name.toLowerCase(), language]],
      );
    }),
  );
  return names;
}

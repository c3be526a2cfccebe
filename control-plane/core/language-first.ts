import type { Bundle, CaptionTrack } from '../../common/contract/bundle.ts';
import type { CaptionWish } from '../../common/contract/profiles.ts';
import { isSameLanguage, nearestLanguage } from '../../common/core/language.ts';

/** What a viewer understands, best first, and what they have chosen to hear and read. */
export interface LanguageWishes {
  readonly languages: readonly string[];
  readonly audioLanguage?: string | undefined;
  readonly captions?: CaptionWish | undefined;
}

/** What a viewer hears and reads unless they choose otherwise; the bundle's own order where there is nothing that they asked for. */
export interface ChosenLanguages {
  readonly audioLanguage?: string | undefined;
  readonly captionLanguage?: string | undefined;
  /** The id of the captions that players start with; none where it is absent. */
  readonly captionsShown?: string | undefined;
}

/** What is heard and read of a bundle by these wishes; `captionLanguage` comes first in menus also where nothing is shown. */
export function chooseLanguages(
  { audio, captions = [] }: Bundle,
  wishes: LanguageWishes,
): { audioLanguage?: string; captionLanguage?: string; captionsShown?: string } {
  const { languages, audioLanguage: heard, captions: read } = wishes;
  const sound = nearestLanguage(heard === undefined ? languages : [heard, ...languages], languagesOf(audio));
  const shown = captionsToShow(captions, sound ?? audio[0]?.language, wishes);
  const readable = typeof read === 'object' ? [read.language, ...languages] : languages;
  const captionLanguage = shown?.language ?? nearestLanguage(readable, languagesOf(captions));
  return {
    ...(sound !== undefined && { audioLanguage: sound }),
    ...(captionLanguage !== undefined && { captionLanguage }),
    ...(shown !== undefined && { captionsShown: shown.id }),
  };
}

/**
 * What the viewer has chosen to read; else, unless they read nothing, captions in the first language that they understand better than the
 * one it sounds in; else the forced ones of the sound's own language. A sound of unknown language is taken for one that is understood.
 */
function captionsToShow(
  captions: readonly CaptionTrack[],
  sound: string | undefined,
  { languages, captions: wish }: LanguageWishes,
): CaptionTrack | undefined {
  const whole = captions.filter(({ kind }) => kind !== 'forced');
  const inFirstOf = (wanted: readonly string[], kind: CaptionTrack['kind']): CaptionTrack | undefined => {
    const language = nearestLanguage(wanted, languagesOf(whole));
    const tracks = whole.filter((track) => track.language === language);
    return tracks.find((track) => track.kind === kind) ?? tracks[0];
  };
  const chosen = typeof wish === 'object' ? inFirstOf([wish.language], wish.kind) : undefined;
  if (chosen !== undefined) return chosen;
  const isKnown = sound !== undefined && sound !== 'und';
  const better = wish !== 'off' && isKnown ? betterThan(sound, languages) : [];
  const forced = (): CaptionTrack | undefined =>
    captions.find(({ kind, language }) => kind === 'forced' && language === sound) ??
    captions.find(({ kind, language }) => kind === 'forced' && isSameLanguage(language, sound ?? ''));
  return inFirstOf(better, typeof wish === 'object' ? wish.kind : 'subtitles') ?? forced();
}

/** The languages before the one that it sounds in; all of them where that is none of them. */
function betterThan(sound: string, languages: readonly string[]): readonly string[] {
  const at = languages.findIndex((language) => isSameLanguage(language, sound));
  return at < 0 ? languages : languages.slice(0, at);
}

/** A bundle whose sound and captions in these languages come before the others, and what is shown first of all. */
export function languageFirst(bundle: Bundle, chosen: ChosenLanguages): Bundle {
  const { audio, captions } = bundle;
  const { audioLanguage, captionLanguage, captionsShown } = chosen;
  return {
    ...bundle,
    audio: inFront(audio, ({ language }) => language === audioLanguage),
    ...(captions && {
      captions: inFront(
        inFront(captions, ({ language }) => language === captionLanguage),
        ({ id }) => id === captionsShown,
      ),
    }),
  };
}

/** The languages of sound or captions in their order, each once. */
export function languagesOf(tracks: readonly { readonly language: string }[]): string[] {
  return [...new Set(tracks.map(({ language }) => language))];
}

function inFront<T>(tracks: readonly T[], isFirst: (track: T) => boolean): T[] {
  return [...tracks.filter(isFirst), ...tracks.filter((track) => !isFirst(track))];
}

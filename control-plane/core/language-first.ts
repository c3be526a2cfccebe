import type { Bundle } from '../../common/contract/bundle.ts';
import { pickLanguage } from '../../common/core/language.ts';

/** What a viewer hears and reads unless they choose otherwise; the bundle's own order where there is nothing that they asked for. */
export interface ChosenLanguages {
  readonly audioLanguage?: string | undefined;
  readonly captionLanguage?: string | undefined;
}

/** The first of the wanted languages, best first, that the bundle sounds in, and the first that it can be read in. */
export function chooseLanguages(
  { audio, captions = [] }: Bundle,
  wanted: readonly string[],
): { audioLanguage?: string; captionLanguage?: string } {
  const [audioLanguage, captionLanguage] = [audio, captions].map((tracks) =>
    pickLanguage(wanted, languagesOf(tracks)),
  );
  return {
    ...(audioLanguage !== undefined && { audioLanguage }),
    ...(captionLanguage !== undefined && { captionLanguage }),
  };
}

/** A bundle whose sound and captions in these languages come before the others: players start with the first sound, menus with the first captions. */
export function languageFirst(bundle: Bundle, chosen: ChosenLanguages): Bundle {
  const { audio, captions } = bundle;
  return {
    ...bundle,
    audio: inFront(audio, chosen.audioLanguage),
    ...(captions && { captions: inFront(captions, chosen.captionLanguage) }),
  };
}

/** The languages of sound or captions in their order, each once. */
export function languagesOf(tracks: readonly { readonly language: string }[]): string[] {
  return [...new Set(tracks.map(({ language }) => language))];
}

function inFront<T extends { readonly language: string }>(
  tracks: readonly T[],
  language: string | undefined,
): T[] {
  return [
    ...tracks.filter((track) => track.language === language),
    ...tracks.filter((track) => track.language !== language),
  ];
}

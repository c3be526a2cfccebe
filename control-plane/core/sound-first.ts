import type { Bundle } from '../../common/contract/bundle.ts';

/** A bundle whose sound in a language comes before the others, which is what players start with; as it is where there is none in it. */
export function soundFirst(bundle: Bundle, language: string | undefined): Bundle {
  const isFirst = (audio: { language: string }): boolean => audio.language === language;
  if (!bundle.audio.some(isFirst)) return bundle;
  return {
    ...bundle,
    audio: [...bundle.audio.filter(isFirst), ...bundle.audio.filter((one) => !isFirst(one))],
  };
}

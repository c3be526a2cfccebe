import type { CaptionWish } from '../../common/contract/profiles.ts';
import type { PlaybackSession } from '../../common/contract/playback.ts';

/** What is heard and read, by the ids of the session's tracks; no captions: none are read. */
export interface TrackChoice {
  readonly audio: string | undefined;
  readonly captions: string | undefined;
}

/** What a session starts with. */
export function choiceOf({ audio = [], captionsShown }: PlaybackSession): TrackChoice {
  return { audio: audio[0]?.id, captions: captionsShown };
}

/** A choice as a profile keeps it: by language, since other films have other tracks. Forced captions come with the sound by themselves. */
export function wishOf(
  { audio = [], captions = [] }: PlaybackSession,
  choice: TrackChoice,
): { audioLanguage?: string; captions: CaptionWish } {
  const sound = audio.find(({ id }) => id === choice.audio);
  const text = captions.find(({ id }) => id === choice.captions);
  return {
    // A film without a choice of sound says nothing of what somebody wants to hear.
    ...(audio.length > 1 &&
      sound !== undefined &&
      sound.language !== 'und' && { audioLanguage: sound.language }),
    captions:
      text === undefined || text.kind === 'forced' ? 'off' : { language: text.language, kind: text.kind },
  };
}

/** Menus of sound and captions; one that offers nothing to choose is not there. */
export function TracksMenu({
  session: { audio = [], captions = [] },
  choice,
  onChoose,
}: {
  session: PlaybackSession;
  choice: TrackChoice;
  onChoose: (choice: TrackChoice) => void;
}) {
  if (audio.length < 2 && captions.length === 0) return null;
  return (
    <div className="tracks" role="group" aria-label="Sound and captions">
      {audio.length > 1 && (
        <span>
          <label htmlFor="sound">Sound</label>{' '}
          <select
            id="sound"
            value={choice.audio}
            onChange={({ target }) => {
              onChoose({ ...choice, audio: target.value });
            }}
          >
            {audio.map(({ id, language }) => (
              <option key={id} value={id} lang={language}>
                {nameOf(language)}
              </option>
            ))}
          </select>
        </span>
      )}
      {captions.length > 0 && (
        <span>
          <label htmlFor="captions">Captions</label>{' '}
          <select
            id="captions"
            value={choice.captions ?? ''}
            onChange={({ target }) => {
              onChoose({ ...choice, captions: target.value === '' ? undefined : target.value });
            }}
          >
            <option value="">Off</option>
            {captions.map(({ id, language, kind }) => (
              <option key={id} value={id} lang={language}>
                {nameOf(language) + { subtitles: '', captions: ' (SDH)', forced: ' (forced)' }[kind]}
              </option>
            ))}
          </select>
        </span>
      )}
    </div>
  );
}

/** A language in itself, which who speaks it knows best. */
function nameOf(language: string): string {
  if (language === 'und') return 'Unknown';
  try {
    return new Intl.DisplayNames([language], { type: 'language' }).of(language) ?? language;
  } catch {
    // Intl throws RangeError for what is no BCP 47 tag; the contract's pattern is wider than that.
    return language;
  }
}

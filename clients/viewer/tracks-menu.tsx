import type { PlaybackSession } from '../../common/contract/playback.ts';
import type { TrackChoice } from './track-choice.ts';

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

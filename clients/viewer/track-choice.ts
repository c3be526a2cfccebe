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

/**
 * What somebody has chosen anew, as a profile keeps it: by language, since other films have other tracks. What a film started with by
 * itself says nothing of the next one. Forced captions come with the sound by themselves. Undefined where there is nothing to keep.
 */
export function wishOf(
  { audio = [], captions = [] }: PlaybackSession,
  { before, next }: { before: TrackChoice; next: TrackChoice },
): { audioLanguage?: string; captions?: CaptionWish } | undefined {
  if (next.audio !== before.audio) {
    const language = audio.find(({ id }) => id === next.audio)?.language;
    return language === undefined || language === 'und' ? undefined : { audioLanguage: language };
  }
  if (next.captions === before.captions) return undefined;
  const text = captions.find(({ id }) => id === next.captions);
  if (text === undefined || text.kind === 'forced') return { captions: 'off' };
  return { captions: { language: text.language, kind: text.kind } };
}

/** The one of a player's tracks that a session calls by this language: Shaka writes `zh-Hans` as `zh-HANS`, and keeps what it read beside it. */
export function trackIn<T extends { readonly language: string; readonly originalLanguage: string | null }>(
  tracks: readonly T[],
  language: string | undefined,
): T | undefined {
  return tracks.find((track) => (track.originalLanguage ?? track.language) === language);
}

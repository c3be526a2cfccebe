import type {
  AudioRendition,
  Bundle,
  CaptionTrack,
  Segment,
  VideoRendition,
} from '../../common/contract/bundle.ts';
import { filePath } from '../../common/core/file-path.ts';
import type { FileExtension } from '../../common/core/media-types.ts';

/** One way to a playback, as a manifest declares it. */
export interface ManifestPathway {
  /** Content steering's PATHWAY-ID and serviceLocation: `[A-Za-z0-9._-]`. */
  readonly id: string;
  /** Base URL of the appliance, with or without a slash at its end. */
  readonly url: string;
}

/** All that a session's manifest is made of; the same input gives the same bytes. */
export interface ManifestInput {
  /** The title's name for people; any text. */
  readonly name: string;
  readonly bundle: Bundle;
  /** The id of the captions that players start with; none where it is absent. */
  readonly captionsShown?: string | undefined;
  /** Best first, one at least. Every pathway is given the identical ladder. */
  readonly pathways: readonly ManifestPathway[];
  /** The session's play token, which stands in every media URL (ADR 3). */
  readonly playToken: string;
  /** Absolute URL of content steering with the session's steer token in it; absent where there is no steering. */
  readonly steeringUrl: string | undefined;
}

/** What of a manifest is the same for all who play the same renditions and start with the same of them. */
export type ManifestShape = Pick<ManifestInput, 'bundle' | 'captionsShown'>;

/** Something with a file in the bundle and a bandwidth. */
export type MediaRendition = VideoRendition | AudioRendition;

/** The absolute URL of a file on a pathway. */
export function fileUrl(
  pathway: Pick<ManifestPathway, 'url'>,
  token: string,
  name: { file: string; ext: FileExtension },
): string {
  return trimSlash(pathway.url) + filePath(token, name.file, name.ext);
}

/** The absolute URL, with a slash at its end, that a session's files stand under on a pathway. */
export function filesBaseUrl(pathway: ManifestPathway, token: string): string {
  return `${trimSlash(pathway.url)}/v1/${token}/`;
}

function trimSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}

/** Ticks of all segments together. */
export function durationTicks(segments: readonly Segment[]): number {
  return segments.reduce((sum, [, , ticks]) => sum + ticks, 0);
}

/** The longest segment of the bundle in milliseconds, rounded up. */
export function longestSegmentMs(bundle: Bundle): number {
  let longestMs = 1;
  for (const { segments, timescale } of [...bundle.video, ...bundle.audio]) {
    for (const [, , ticks] of segments)
      longestMs = Math.max(longestMs, Math.ceil((ticks * 1000) / timescale));
  }
  return longestMs;
}

/** The name of a language in English for a track menu, or the code itself where it has none; `unknown` where none is told. */
export function languageName(language: string, unknown = 'Audio'): string {
  if (language === 'und') return unknown;
  try {
    return new Intl.DisplayNames(['en'], { type: 'language' }).of(language) ?? language;
  } catch {
    // Intl throws RangeError for what is no BCP 47 tag; the contract's pattern is wider than that.
    return language;
  }
}

/** What a track menu calls captions: their language, and what sets them apart from plain subtitles. */
export function captionName({ language, kind }: CaptionTrack): string {
  const name = languageName(language, 'Subtitles');
  return { subtitles: name, captions: `${name} (SDH)`, forced: `${name} (forced)` }[kind];
}

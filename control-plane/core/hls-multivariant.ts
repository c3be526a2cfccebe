import type { Bundle, CaptionTrack, VideoRendition } from '../../common/contract/bundle.ts';
import {
  captionName,
  filesBaseUrl,
  languageName,
  type ManifestInput,
  type ManifestShape,
} from './playback-manifest.ts';
import { hasHdr, rangeOf } from './video-range.ts';

/** The part of a playlist that every pathway has, cut where a pathway's own id and base URL stand. */
export interface HlsShape {
  /** Texts; between each and the next stands a pathway's id or base URL. */
  readonly texts: readonly string[];
  /** What stands behind each text but the last. */
  readonly holes: readonly ('id' | 'base')[];
}

// Signs that no text of a playlist can hold.
const idHole = '\u0001';
const baseHole = '\u0002';
const aHole = new RegExp(`([${idHole}${baseHole}])`);

/**
 * The HLS multivariant playlist of one session (draft-pantos-hls-rfc8216bis), its shape as `hlsShape` gives it where it was made before: sibling pathways with identical ladders and
 * content steering over them. Each pathway has a set of variants and groups of sound and captions of its own, so that hls.js leaves a
 * failing box at the first error of either.
 */
export function hlsMultivariant(input: ManifestInput & { readonly shape?: HlsShape }): string {
  const { name, pathways, playToken, steeringUrl, shape = hlsShape(input) } = input;
  const [first] = pathways;
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    tag('EXT-X-SESSION-DATA', [
      ['DATA-ID', quoted('com.apple.hls.title')],
      ['VALUE', quoted(name)],
    ]),
  ];
  if (first !== undefined && steeringUrl !== undefined) {
    lines.push(
      tag('EXT-X-CONTENT-STEERING', [
        ['SERVER-URI', quoted(steeringUrl)],
        // It must be one that a variant declares, or media3 throws.
        ['PATHWAY-ID', quoted(first.id)],
      ]),
    );
  }
  const ways = pathways.map((pathway) => {
    const own = { id: pathway.id, base: plain(filesBaseUrl(pathway, playToken)) };
    return shape.texts.map((text, at) => `${text}${ofHole(own, shape.holes[at])}`).join('');
  });
  return [...lines, ...ways].join('\n') + '\n';
}

function ofHole(own: { id: string; base: string }, hole: 'id' | 'base' | undefined): string {
  return hole === undefined ? '' : own[hole];
}

/** All of a playlist that is not of one session: nearly all of it, the same for all who play the same renditions. */
export function hlsShape(shape: ManifestShape): HlsShape {
  const lines = ['', ...audioLines(shape), ...captionLines(shape), ...variantLines(shape)];
  // Every second piece is a hole.
  const pieces = lines.join('\n').split(aHole);
  return {
    texts: pieces.filter((_, at) => at % 2 === 0),
    holes: pieces.filter((_, at) => at % 2 === 1).map((hole) => (hole === idHole ? 'id' : 'base')),
  };
}

type Attribute = readonly [name: string, value: string];

function tag(name: string, attributes: readonly Attribute[]): string {
  return `#${name}:${attributes.map(([key, value]) => `${key}=${value}`).join(',')}`;
}

/** A quoted-string can hold neither a double quote nor a line's end and has no escape (rfc8216bis §4.2). */
function quoted(text: string): string {
  return `"${plain(text)}"`;
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what must not get through
  const line = text.toWellFormed().replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, ' ');
  return line.replaceAll('"', "'");
}

const audioGroup = `"audio-${idHole}"`;
const captionGroup = `"captions-${idHole}"`;

function playlistUrl(file: string): string {
  return `${baseHole}${file}.m3u8`;
}

function audioLines({ bundle }: ManifestShape): string[] {
  const names = uniqueNames(bundle.audio, ({ language }) => languageName(language));
  return bundle.audio.map((audio, index) =>
    tag('EXT-X-MEDIA', [
      ['TYPE', 'AUDIO'],
      ['GROUP-ID', audioGroup],
      ['NAME', quoted(names[index] ?? audio.id)],
      ['LANGUAGE', quoted(audio.language)],
      ['DEFAULT', index === 0 ? 'YES' : 'NO'],
      ['AUTOSELECT', 'YES'],
      ['CHANNELS', quoted(String(audio.channels))],
      ['STABLE-RENDITION-ID', quoted(audio.id)],
      ['URI', `"${playlistUrl(audio.playlist)}"`],
    ]),
  );
}

function captionLines({ bundle, captionsShown }: ManifestShape): string[] {
  const { captions = [] } = bundle;
  const names = uniqueNames(captions, captionName);
  return captions.map((track, index) =>
    tag('EXT-X-MEDIA', [
      ['TYPE', 'SUBTITLES'],
      ['GROUP-ID', captionGroup],
      ['NAME', quoted(names[index] ?? track.id)],
      ['LANGUAGE', quoted(track.language)],
      ['DEFAULT', track.id === captionsShown ? 'YES' : 'NO'],
      ['AUTOSELECT', 'YES'],
      ...captionTraits(track),
      ['STABLE-RENDITION-ID', quoted(track.id)],
      ['URI', `"${playlistUrl(track.playlist)}"`],
    ]),
  );
}

// The two characteristics together are what Apple's players take for SDH (rfc8216bis §4.4.6.1).
const sdh = [
  'public.accessibility.transcribes-spoken-dialog',
  'public.accessibility.describes-music-and-sound',
].join(',');

function captionTraits({ kind }: CaptionTrack): Attribute[] {
  if (kind === 'forced') return [['FORCED', 'YES']];
  return kind === 'captions' ? [['CHARACTERISTICS', quoted(sdh)]] : [];
}

/** NAME must differ within a group (rfc8216bis §4.4.6.1.1). */
function uniqueNames<T extends { readonly id: string }>(tracks: readonly T[], nameOf: (track: T) => string) {
  const names = tracks.map(nameOf);
  return names.map((name, index) =>
    names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (${tracks[index]?.id ?? ''})`,
  );
}

function variantLines({ bundle }: ManifestShape): string[] {
  const lines: string[] = [];
  for (const video of bundle.video) lines.push(variantTag(bundle, video), playlistUrl(video.playlist));
  for (const video of bundle.video) {
    lines.push(
      tag('EXT-X-I-FRAME-STREAM-INF', [
        ['BANDWIDTH', String(video.iframeBandwidth)],
        ['CODECS', quoted(video.codecs)],
        ['RESOLUTION', `${video.width}x${video.height}`],
        ...rangeTraits(bundle, video),
        ['STABLE-VARIANT-ID', quoted(`${video.id}-iframes`)],
        ['PATHWAY-ID', `"${idHole}"`],
        ['URI', `"${playlistUrl(video.iframePlaylist)}"`],
      ]),
    );
  }
  return lines;
}

/** Where all is SDR it is the default (rfc8216bis §4.4.6.2); beside HDR it is said, as Apple's authoring specification wants it. */
function rangeTraits(bundle: Bundle, video: VideoRendition): Attribute[] {
  return hasHdr(bundle) ? [['VIDEO-RANGE', rangeOf(video).toUpperCase()]] : [];
}

function variantTag(bundle: Bundle, video: VideoRendition): string {
  // BANDWIDTH counts the variant with the dearest rendition of its group (rfc8216bis §4.4.6.2).
  const peak = video.peakBandwidth + Math.max(0, ...bundle.audio.map(({ peakBandwidth }) => peakBandwidth));
  const average =
    video.averageBandwidth + Math.max(0, ...bundle.audio.map((audio) => audio.averageBandwidth));
  const codecs = new Set([video.codecs, ...bundle.audio.map((audio) => audio.codecs)]);
  const attributes: Attribute[] = [
    ['BANDWIDTH', String(Math.max(peak, average))],
    ['AVERAGE-BANDWIDTH', String(average)],
    ['CODECS', quoted([...codecs].join(','))],
    ['RESOLUTION', `${video.width}x${video.height}`],
    ['FRAME-RATE', video.frameRate.toFixed(3)],
    ...rangeTraits(bundle, video),
    // Without it shaka fetches whole segments to look for captions before it starts.
    ['CLOSED-CAPTIONS', 'NONE'],
    ['STABLE-VARIANT-ID', quoted(video.id)],
    ['PATHWAY-ID', `"${idHole}"`],
  ];
  if (bundle.audio.length > 0) attributes.push(['AUDIO', audioGroup]);
  if (bundle.captions?.length) attributes.push(['SUBTITLES', captionGroup]);
  return tag('EXT-X-STREAM-INF', attributes);
}

import type { AudioRendition, CaptionTrack, VideoRendition } from '../../common/contract/bundle.ts';
import {
  captionName,
  fileUrl,
  languageName,
  type ManifestInput,
  type ManifestPathway,
} from './playback-manifest.ts';

/**
 * The HLS multivariant playlist of one session (draft-pantos-hls-rfc8216bis): sibling pathways with identical ladders and
 * content steering over them. Each pathway has a set of variants and groups of sound and captions of its own, so that hls.js leaves a
 * failing box at the first error of either.
 */
export function hlsMultivariant(input: ManifestInput): string {
  const [first] = input.pathways;
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    tag('EXT-X-SESSION-DATA', [
      ['DATA-ID', quoted('com.apple.hls.title')],
      ['VALUE', quoted(input.name)],
    ]),
  ];
  if (first !== undefined && input.steeringUrl !== undefined) {
    lines.push(
      tag('EXT-X-CONTENT-STEERING', [
        ['SERVER-URI', quoted(input.steeringUrl)],
        // It must be one that a variant declares, or media3 throws.
        ['PATHWAY-ID', quoted(first.id)],
      ]),
    );
  }
  for (const pathway of input.pathways) {
    lines.push(
      '',
      ...audioLines(input, pathway),
      ...captionLines(input, pathway),
      ...variantLines(input, pathway),
    );
  }
  return `${lines.join('\n')}\n`;
}

type Attribute = readonly [name: string, value: string];

function tag(name: string, attributes: readonly Attribute[]): string {
  return `#${name}:${attributes.map(([key, value]) => `${key}=${value}`).join(',')}`;
}

/** A quoted-string can hold neither a double quote nor a line's end and has no escape (rfc8216bis §4.2). */
function quoted(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what must not get through
  const line = text.toWellFormed().replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, ' ');
  return `"${line.replaceAll('"', "'")}"`;
}

function audioGroup(pathway: ManifestPathway): string {
  return `audio-${pathway.id}`;
}

function audioLines({ bundle, playToken }: ManifestInput, pathway: ManifestPathway): string[] {
  const names = uniqueNames(bundle.audio);
  return bundle.audio.map((audio, index) =>
    tag('EXT-X-MEDIA', [
      ['TYPE', 'AUDIO'],
      ['GROUP-ID', quoted(audioGroup(pathway))],
      ['NAME', quoted(names[index] ?? audio.id)],
      ['LANGUAGE', quoted(audio.language)],
      ['DEFAULT', index === 0 ? 'YES' : 'NO'],
      ['AUTOSELECT', 'YES'],
      ['CHANNELS', quoted(String(audio.channels))],
      ['STABLE-RENDITION-ID', quoted(audio.id)],
      ['URI', quoted(fileUrl(pathway, playToken, { file: audio.playlist, ext: 'm3u8' }))],
    ]),
  );
}

function captionGroup(pathway: ManifestPathway): string {
  return `captions-${pathway.id}`;
}

function captionLines({ bundle, playToken }: ManifestInput, pathway: ManifestPathway): string[] {
  return (bundle.captions ?? []).map((track) =>
    tag('EXT-X-MEDIA', [
      ['TYPE', 'SUBTITLES'],
      ['GROUP-ID', quoted(captionGroup(pathway))],
      ['NAME', quoted(captionName(track))],
      ['LANGUAGE', quoted(track.language)],
      ['DEFAULT', 'NO'],
      ['AUTOSELECT', 'YES'],
      ...captionTraits(track),
      ['STABLE-RENDITION-ID', quoted(track.id)],
      ['URI', quoted(fileUrl(pathway, playToken, { file: track.playlist, ext: 'm3u8' }))],
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
function uniqueNames(audio: readonly AudioRendition[]): string[] {
  const names = audio.map(({ language }) => languageName(language));
  return audio.map(({ id }, index) => {
    const name = names[index] ?? id;
    return names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (${id})`;
  });
}

function variantLines(input: ManifestInput, pathway: ManifestPathway): string[] {
  const { bundle, playToken } = input;
  const lines: string[] = [];
  for (const video of bundle.video) {
    lines.push(
      variantTag(input, pathway, video),
      fileUrl(pathway, playToken, { file: video.playlist, ext: 'm3u8' }),
    );
  }
  for (const video of bundle.video) {
    lines.push(
      tag('EXT-X-I-FRAME-STREAM-INF', [
        ['BANDWIDTH', String(video.iframeBandwidth)],
        ['CODECS', quoted(video.codecs)],
        ['RESOLUTION', `${video.width}x${video.height}`],
        ['STABLE-VARIANT-ID', quoted(`${video.id}-iframes`)],
        ['PATHWAY-ID', quoted(pathway.id)],
        ['URI', quoted(fileUrl(pathway, playToken, { file: video.iframePlaylist, ext: 'm3u8' }))],
      ]),
    );
  }
  return lines;
}

function variantTag({ bundle }: ManifestInput, pathway: ManifestPathway, video: VideoRendition): string {
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
    // Without it shaka fetches whole segments to look for captions before it starts.
    ['CLOSED-CAPTIONS', 'NONE'],
    ['STABLE-VARIANT-ID', quoted(video.id)],
    ['PATHWAY-ID', quoted(pathway.id)],
  ];
  if (bundle.audio.length > 0) attributes.push(['AUDIO', quoted(audioGroup(pathway))]);
  if (bundle.captions?.length) attributes.push(['SUBTITLES', quoted(captionGroup(pathway))]);
  return tag('EXT-X-STREAM-INF', attributes);
}

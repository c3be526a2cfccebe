import type { AudioRendition, Bundle, CaptionTrack, VideoRendition } from '../../common/contract/bundle.ts';
import {
  captionName,
  filesBaseUrl,
  languageName,
  longestSegmentMs,
  type ManifestInput,
  type ManifestShape,
  type MediaRendition,
} from './playback-manifest.ts';
import { hasHdr, rangeOf } from './video-range.ts';
import { element, renderXml, xmlDocument, type RenderedXml, type XmlElement } from './xml.ts';

/**
 * The static DASH MPD of one session, its period as `dashPeriod` gives it for this shape where it was made before (ISO/IEC 23009-1) with content steering (ETSI TS 103 998).
 *
 * `SegmentList` with `mediaRange`, never `SegmentBase`: with the latter shaka freezes the BaseURL it chose first and
 * dash.js hangs on a dead box's sidx. One `S` per segment, never `@r`: dash.js takes the SegmentURL by the number of the
 * `S` element, repeats not counted.
 */
export function dashMpd(input: ManifestInput & { readonly period?: RenderedXml }): string {
  const { bundle, name, pathways, playToken, period = dashPeriod(input) } = input;
  const root = element(
    'MPD',
    {
      xmlns: 'urn:mpeg:dash:schema:mpd:2011',
      profiles: 'urn:mpeg:dash:profile:isoff-main:2011',
      type: 'static',
      mediaPresentationDuration: duration(bundle.durationMs),
      minBufferTime: duration(longestSegmentMs(bundle)),
      maxSegmentDuration: duration(longestSegmentMs(bundle)),
    },
    [
      element('ProgramInformation', {}, [element('Title', {}, name)]),
      ...pathways.map((pathway) =>
        element('BaseURL', { serviceLocation: pathway.id }, filesBaseUrl(pathway, playToken)),
      ),
      ...contentSteering(input),
      period,
    ],
  );
  return xmlDocument(root);
}

/** All of an MPD that is not of one session: nearly all of it, the same for all who play the same renditions. */
export function dashPeriod(shape: ManifestShape): RenderedXml {
  const { bundle } = shape;
  const times = { start: 'PT0S', duration: duration(bundle.durationMs) };
  return renderXml(element('Period', { id: 'p0', ...times }, adaptationSets(shape)), 1);
}

function contentSteering({ pathways, steeringUrl }: ManifestInput): XmlElement[] {
  if (steeringUrl === undefined) return [];
  const defaultServiceLocation = pathways.map(({ id }) => id).join(' ');
  // The MPD is ranked already: a query before the start would only delay it.
  return [element('ContentSteering', { defaultServiceLocation, queryBeforeStart: 'false' }, steeringUrl)];
}

function duration(ms: number): string {
  return `PT${(ms / 1000).toFixed(3)}S`;
}

function adaptationSets({ bundle, captionsShown }: ManifestShape): XmlElement[] {
  const videos = groupBy(bundle.video, (one) => `${codecFamily(one.codecs)} ${rangeOf(one)}`);
  const tellsRange = hasHdr(bundle);
  const audios = groupBy(
    bundle.audio,
    ({ codecs, language, channels }) => `${codecFamily(codecs)} ${language} ${channels}`,
  );
  const first = bundle.audio[0]?.language;
  const hasChoice = bundle.audio.some(({ language }) => language !== first);
  const sets = [
    ...videos.map((video) => videoSet(video, tellsRange)),
    ...audios.map((audio) => audioSet(audio, hasChoice ? roleOf(audio, first) : undefined)),
    ...(bundle.captions ?? []).map((track) => captionSet(track, bundle, track.id === captionsShown)),
    thumbnailSet(bundle),
  ];
  return sets.map(({ name, attributes, content }, index) =>
    element(name, { id: index + 1, ...attributes }, content),
  );
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  return [...Map.groupBy(items, keyOf).values()];
}

/** A player switches within one sample entry only: `avc1`, `hvc1`, `av01`, `mp4a` … */
function codecFamily(codecs: string): string {
  return codecs.split('.', 1)[0] ?? codecs;
}

const aligned = { segmentAlignment: 'true', startWithSAP: 1 } as const;

function videoSet(videos: readonly VideoRendition[], tellsRange: boolean): XmlElement {
  return element(
    'AdaptationSet',
    {
      contentType: 'video',
      mimeType: 'video/mp4',
      ...aligned,
      maxWidth: Math.max(...videos.map(({ width }) => width)),
      maxHeight: Math.max(...videos.map(({ height }) => height)),
      // Whoever is offered HDR has asked for it: it goes before SDR, which has 1, the default (ISO/IEC 23009-1 §5.3.3.2).
      selectionPriority: isHdr(videos) ? 2 : undefined,
    },
    [
      ...(tellsRange ? colourProperties(videos) : []),
      ...videos.map((video) =>
        element(
          'Representation',
          {
            id: video.id,
            codecs: video.codecs,
            bandwidth: video.peakBandwidth,
            width: video.width,
            height: video.height,
            frameRate: frameRate(video.frameRate),
          },
          byteRanges(video, 'mp4'),
        ),
      ),
    ],
  );
}

function isHdr([video]: readonly VideoRendition[]): boolean {
  return video !== undefined && rangeOf(video) !== 'sdr';
}

// ITU-T H.273: primaries and matrix of BT.709 and BT.2020 (non-constant luminance), the transfer of BT.709, PQ and HLG.
const codePoints = {
  sdr: { ColourPrimaries: 1, TransferCharacteristics: 1, MatrixCoefficients: 1 },
  pq: { ColourPrimaries: 9, TransferCharacteristics: 16, MatrixCoefficients: 9 },
  hlg: { ColourPrimaries: 9, TransferCharacteristics: 18, MatrixCoefficients: 9 },
};

/** The colours of a set (DASH-IF IOP v4.3 §6.2.5.1); who does not understand those of HDR must leave it. */
function colourProperties([video]: readonly VideoRendition[]): XmlElement[] {
  if (video === undefined) return [];
  const range = rangeOf(video);
  const name = range === 'sdr' ? 'SupplementalProperty' : 'EssentialProperty';
  return Object.entries(codePoints[range]).map(([property, value]) =>
    element(name, { schemeIdUri: `urn:mpeg:mpegB:cicp:${property}`, value }),
  );
}

/** What players start with where their viewer has not chosen (ISO/IEC 23009-1 §5.8.5.5). */
function roleOf([audio]: readonly AudioRendition[], first: string | undefined): 'main' | 'alternate' {
  return audio?.language === first ? 'main' : 'alternate';
}

function audioSet(audios: readonly AudioRendition[], role: 'main' | 'alternate' | undefined): XmlElement {
  const [first] = audios;
  const language = first?.language ?? 'und';
  return element(
    'AdaptationSet',
    { contentType: 'audio', mimeType: 'audio/mp4', lang: language, ...aligned },
    [
      element('Label', {}, languageName(language)),
      ...(role === undefined
        ? []
        : [element('Role', { schemeIdUri: 'urn:mpeg:dash:role:2011', value: role })]),
      ...audios.map((audio) =>
        element(
          'Representation',
          {
            id: audio.id,
            codecs: audio.codecs,
            bandwidth: audio.peakBandwidth,
            audioSamplingRate: audio.sampleRateHz,
          },
          [
            element('AudioChannelConfiguration', {
              schemeIdUri: 'urn:mpeg:dash:23003:3:audio_channel_configuration:2011',
              value: channelConfiguration(audio.channels),
            }),
            ...byteRanges(audio, 'm4a'),
          ],
        ),
      ),
    ],
  );
}

const captionRoles = { subtitles: 'subtitle', captions: 'caption', forced: 'forced-subtitle' } as const;

/** One file of the whole period, which needs no segments (DASH-IF IOP part 6). What players start with is `main` too (ISO/IEC 23009-1 §5.8.5.5). */
function captionSet(track: CaptionTrack, { files, durationMs }: Bundle, isShown: boolean): XmlElement {
  const sizeBytes = files.find(({ file }) => file === track.file)?.sizeBytes ?? 0;
  const roles = [captionRoles[track.kind], ...(isShown ? ['main'] : [])];
  return element('AdaptationSet', { contentType: 'text', mimeType: 'text/vtt', lang: track.language }, [
    element('Label', {}, captionName(track)),
    ...roles.map((value) => element('Role', { schemeIdUri: 'urn:mpeg:dash:role:2011', value })),
    element(
      'Representation',
      { id: track.id, bandwidth: Math.max(1, Math.ceil((sizeBytes * 8 * 1000) / durationMs)) },
      [element('BaseURL', {}, `${track.file}.vtt`)],
    ),
  ]);
}

/** ISO/IEC 23003-3 table 68: up to 5.1 the configuration's number is the number of channels, 6.1 is 11 and 7.1 is 12. */
function channelConfiguration(channels: number): number {
  return ({ 7: 11, 8: 12 } as Record<number, number>)[channels] ?? channels;
}

/** Where a rendition's bytes are: the file, and in it the initialization and each segment by range (both ends included). */
function byteRanges(media: MediaRendition, ext: 'mp4' | 'm4a'): XmlElement[] {
  return [
    element('BaseURL', {}, `${media.file}.${ext}`),
    element('SegmentList', { timescale: media.timescale }, [
      element('Initialization', { range: `0-${media.initLengthBytes - 1}` }),
      element(
        'SegmentTimeline',
        {},
        media.segments.map(([, , ticks], index) =>
          element('S', { t: index === 0 ? 0 : undefined, d: ticks }),
        ),
      ),
      ...media.segments.map(([offset, length]) =>
        element('SegmentURL', { mediaRange: `${offset}-${offset + length - 1}` }),
      ),
    ]),
  ];
}

/** ISO/IEC 23009-1 FrameRateType is a fraction of integers; broadcast rates are n × 1000 / 1001. */
function frameRate(framesPerSecond: number): string | undefined {
  const whole = Math.round(framesPerSecond);
  if (whole < 1) return undefined;
  if (Math.abs(framesPerSecond - whole) < 0.0005) return String(whole);
  if (Math.abs(framesPerSecond - (whole * 1000) / 1001) < 0.002) return `${whole * 1000}/1001`;
  return `${Math.round(framesPerSecond * 1000)}/1000`;
}

/** Thumbnails in tiles (DASH-IF IOP part 1 §6.2.6); each sprite is a segment of its own file. */
function thumbnailSet({ files, thumbnails, durationMs }: Bundle): XmlElement {
  const { columns, intervalMs, rows, sprites, tileHeight, tileWidth } = thumbnails;
  const spriteMs = columns * rows * intervalMs;
  const sizes = new Map(files.map(({ file, sizeBytes }) => [file, sizeBytes]));
  const largestBytes = Math.max(1, ...sprites.map((sprite) => sizes.get(sprite) ?? 0));
  return element(
    'AdaptationSet',
    { contentType: 'image', mimeType: 'image/jpeg', segmentAlignment: 'true' },
    [
      element(
        'Representation',
        {
          id: 'thumbnails',
          bandwidth: Math.max(1, Math.ceil((largestBytes * 8 * 1000) / Math.min(spriteMs, durationMs))),
          width: tileWidth * columns,
          height: tileHeight * rows,
        },
        [
          element('EssentialProperty', {
            schemeIdUri: 'http://dashif.org/guidelines/thumbnail_tile',
            value: `${columns}x${rows}`,
          }),
          // A timeline, since dash.js reads thumbnails from no other list; every sprite lasts as long, or its tiles shift.
          element('SegmentList', { timescale: 1000 }, [
            element(
              'SegmentTimeline',
              {},
              sprites.map((_, index) => element('S', { t: index === 0 ? 0 : undefined, d: spriteMs })),
            ),
            ...sprites.map((sprite) => element('SegmentURL', { media: `${sprite}.jpg` })),
          ]),
        ],
      ),
    ],
  );
}

import { createHash } from 'node:crypto';
import type { Bundle, Segment } from '../../../common/contract/bundle.ts';

/** A file name that is well formed and belongs to this word alone. */
export function fileNamed(word: string): string {
  return createHash('sha256').update(word).digest('hex');
}

/** Segments that follow one another from `startBytes` on. */
export function segmentsFrom(
  startBytes: number,
  list: readonly (readonly [length: number, ticks: number])[],
): Segment[] {
  let offset = startBytes;
  return list.map(([length, ticks]) => {
    const segment: Segment = [offset, length, ticks];
    offset += length;
    return segment;
  });
}

interface Size {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly bandwidth: number;
  readonly codecs: string;
}

const sizes: readonly Size[] = [
  { id: 'v1080', width: 1920, height: 1080, bandwidth: 5_000_000, codecs: 'avc1.640028' },
  { id: 'v720', width: 1280, height: 720, bandwidth: 2_800_000, codecs: 'avc1.64001f' },
  { id: 'v360', width: 640, height: 360, bandwidth: 800_000, codecs: 'avc1.64001e' },
];

/** A bundle of a film of 10.5 s at 24 frames a second: three segments of 4, 4 and 2.5 s, three renditions and sound. */
export function sampleBundle(): Bundle {
  const video = sizes.map((size, index) => ({
    id: size.id,
    file: fileNamed(`${size.id}.mp4`),
    playlist: fileNamed(`${size.id}.m3u8`),
    iframePlaylist: fileNamed(`${size.id}-iframes.m3u8`),
    codecs: size.codecs,
    averageBandwidth: size.bandwidth,
    peakBandwidth: size.bandwidth + 250_000,
    iframeBandwidth: Math.round(size.bandwidth / 10),
    timescale: 12_288,
    width: size.width,
    height: size.height,
    frameRate: 24,
    initLengthBytes: 1200 + index,
    // 140 bytes of sidx lie between the initialization and the first segment.
    segments: segmentsFrom(1340 + index, [
      [40_000 - index, 49_152],
      [50_000, 49_152],
      [20_001, 30_720],
    ]),
  }));
  const audio = [
    {
      id: 'a-en',
      file: fileNamed('a-en.m4a'),
      playlist: fileNamed('a-en.m3u8'),
      codecs: 'mp4a.40.2',
      averageBandwidth: 128_000,
      peakBandwidth: 136_000,
      timescale: 48_000,
      initLengthBytes: 800,
      language: 'en',
      channels: 2,
      sampleRateHz: 48_000,
      segments: segmentsFrom(900, [
        [64_000, 192_512],
        [63_900, 191_488],
        [40_000, 120_000],
      ]),
    },
  ];
  const bundle: Bundle = {
    version: 1,
    durationMs: 10_500,
    files: [],
    video,
    audio,
    poster: fileNamed('poster.jpg'),
    thumbnails: {
      vtt: fileNamed('thumbnails.vtt'),
      sprites: [fileNamed('sprite-0.jpg'), fileNamed('sprite-1.jpg')],
      tileWidth: 160,
      tileHeight: 90,
      columns: 2,
      rows: 2,
      intervalMs: 2000,
    },
  };
  return { ...bundle, files: filesOf(bundle) };
}

/** The same film in HDR too: two renditions more, behind those in SDR. */
export function hdrBundle(videoRange: 'pq' | 'hlg' = 'pq'): Bundle {
  const bundle = sampleBundle();
  const transfer = { pq: 16, hlg: 18 }[videoRange];
  const hdr = bundle.video.slice(0, 2).map((video) => ({
    ...video,
    ...{ id: `${video.id}-${videoRange}`, videoRange },
    file: fileNamed(`${video.id}-${videoRange}.mp4`),
    playlist: fileNamed(`${video.id}-${videoRange}.m3u8`),
    iframePlaylist: fileNamed(`${video.id}-${videoRange}-iframes.m3u8`),
    codecs: `av01.0.${video.height > 720 ? '08' : '05'}M.10.0.111.09.${transfer}.09.0`,
    averageBandwidth: Math.round(video.averageBandwidth * 0.6),
    peakBandwidth: Math.round(video.peakBandwidth * 0.6),
  }));
  const whole = { ...bundle, video: [...bundle.video, ...hdr] };
  return { ...whole, files: filesOf(whole) };
}

/** The same film with captions of each kind. */
export function captionedBundle(): Bundle {
  const bundle = sampleBundle();
  const captions = (
    [
      ['c-de', 'de', 'subtitles'],
      ['c-sdh', 'en', 'captions'],
      ['c-forced', 'en', 'forced'],
    ] as const
  ).map(([id, language, kind]) => ({
    ...{ id, language, kind },
    file: fileNamed(id),
    playlist: fileNamed(`${id}.m3u8`),
  }));
  const files = captions.flatMap(({ file, playlist }) => [
    { file, ext: 'vtt', role: 'captions' as const, sizeBytes: 900 },
    { file: playlist, ext: 'm3u8', role: 'playlist' as const, sizeBytes: 200 },
  ]);
  return { ...bundle, captions, files: [...bundle.files, ...files] };
}

function filesOf({ video, audio, poster, thumbnails }: Bundle): Bundle['files'] {
  return [
    ...video.flatMap(({ file, playlist, iframePlaylist, segments }) => [
      { file, ext: 'mp4', role: 'video' as const, sizeBytes: endOf(segments) },
      { file: playlist, ext: 'm3u8', role: 'playlist' as const, sizeBytes: 400 },
      { file: iframePlaylist, ext: 'm3u8', role: 'iframe-playlist' as const, sizeBytes: 300 },
    ]),
    ...audio.flatMap(({ file, playlist, segments }) => [
      { file, ext: 'm4a', role: 'audio' as const, sizeBytes: endOf(segments) },
      { file: playlist, ext: 'm3u8', role: 'playlist' as const, sizeBytes: 350 },
    ]),
    { file: poster, ext: 'jpg', role: 'poster' as const, sizeBytes: 9000 },
    { file: thumbnails.vtt, ext: 'vtt', role: 'thumbnails' as const, sizeBytes: 500 },
    ...thumbnails.sprites.map((file) => ({ file, ext: 'jpg', role: 'sprite' as const, sizeBytes: 12_000 })),
  ];
}

function endOf(segments: readonly Segment[]): number {
  const [offset, length] = segments.at(-1) ?? [0, 0];
  return offset + length;
}

import { Type, type Static } from '../../common/contract/type.ts';
import { languageOf as canonicalLanguage } from '../../common/core/language.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import { captionStreamLimits, captionTracksMax, type CaptionPlan } from './captions.ts';
import type { Demuxer } from './container.ts';
import { parseRateHz } from './frame-rate.ts';
import { SideData } from './hdr-light.ts';
import type { Size } from './ladder.ts';

const Text = Type.Optional(Type.String());
const Count = Type.Optional(Type.Integer({ minimum: 0 }));

const ProbeStream = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  codec_type: Text,
  codec_name: Text,
  width: Count,
  height: Count,
  sample_aspect_ratio: Text,
  field_order: Text,
  pix_fmt: Text,
  color_transfer: Text,
  color_primaries: Text,
  color_space: Text,
  avg_frame_rate: Text,
  r_frame_rate: Text,
  channels: Count,
  disposition: Type.Optional(Type.Record(Type.String(), Type.Integer())),
  tags: Type.Optional(Type.Record(Type.String(), Type.String())),
  side_data_list: Type.Optional(Type.Array(SideData)),
});
type ProbeStream = Static<typeof ProbeStream>;

/** What is used of `ffprobe -show_streams -show_format -of json`. */
export const Probe = Type.Object({
  streams: Type.Array(ProbeStream),
  format: Type.Object({
    start_time: Text,
    duration: Text,
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
});
export type Probe = Static<typeof Probe>;

/** What is found by reading every packet: where a stream's packets begin and end, in seconds of the file's time, and what they hold. */
export interface PacketSpan {
  packets: number;
  startS: number;
  endS: number;
  bytes: number;
  largestBytes: number;
}

/** What is known of a source before it is encoded. Times in seconds from the beginning of the file. */
export interface Source {
  video: {
    index: number;
    /** As displayed: square pixels, upright. */
    display: Size;
    turned: boolean;
    interlaced: boolean;
    /** Transfer function of HDR pictures. */
    hdr: 'smpte2084' | 'arib-std-b67' | undefined;
    /** The range that renditions may have beside SDR. */
    keeps?: 'pq' | 'hlg' | undefined;
    /** What the container says of its light; the pictures themselves may say more. */
    sideData?: readonly SideData[];
    meanFrameRateHz: number;
    /** The rate that all timestamps are multiples of, where ffprobe found one. */
    baseFrameRateHz: number | undefined;
    endS: number;
  };
  /** One of each language, the default first; none where it is silent. */
  audio: readonly { index: number; language: string; endS: number }[];
  /** One of each language and kind, the default first. */
  captions: readonly CaptionPlan[];
  /** Streams of captions that are left out, with the reason, for people. */
  notices: readonly string[];
  /** The picture that the file brings along for its poster. */
  cover?: { index: number; size: Size } | undefined;
}

const sideMin = 16;
const pixelsMax = 8192 * 8192;
const durationSMax = 24 * 3600;
/** Each is encoded, and costs as much of every box's disk as the others. */
const languagesMax = 8;
const noticesMax = 40;
/** Durations that the header states are off by less than this, or by 2 %, in files that are whole. */
const slackS = 0.5;
// These state no duration: ffmpeg guesses it from the bit rate.
const guessing = new Set<Demuxer>(['mpegts', 'mpeg', 'asf', 'mxf', 'ogg']);

/**
 * Decides by ffprobe's report and the packets that were read what of a source is to be encoded: the default video
 * stream that is no cover picture, and of the audio streams the default one and one of each other language.
 *
 * @returns SOURCE_NOT_VIDEO, SOURCE_NO_VIDEO, SOURCE_REFUSED (sizes and durations beyond all bounds), SOURCE_TRUNCATED
 */
export function readSource(
  probe: Probe,
  spans: ReadonlyMap<number, PacketSpan>,
  demuxer: Demuxer,
): Result<Source> {
  const present = probe.streams.filter((stream) => (spans.get(stream.index)?.packets ?? 0) > 0);
  const audio = soundsOf(present);
  const video = preferDefault(present.filter(isMovingPicture));
  if (video === undefined) {
    if (audio.length > 0) return refused('SOURCE_NO_VIDEO', 'it has sound but no video stream');
    return refused('SOURCE_NOT_VIDEO', 'it has no video stream with any picture in it');
  }
  const startS = Number(probe.format.start_time ?? 0) || 0;
  const endOf = (stream: ProbeStream): number => (spans.get(stream.index)?.endS ?? 0) - startS;
  const wrong = checkDuration(probe, { demuxer, startS, spans });
  if (wrong !== undefined) return wrong;
  const display = displaySizeOf(video);
  if (!display.ok) return display;
  const span = spans.get(video.index);
  const packetsHz = span === undefined ? 0 : span.packets / (span.endS - span.startS);
  return ok({
    video: {
      index: video.index,
      display: display.value,
      turned: isTurned(video),
      interlaced: /^(?:tt|bb|tb|bt)$/.test(video.field_order ?? ''),
      hdr: hdrOf(video),
      keeps: keepsOf(video),
      ...(video.side_data_list && { sideData: video.side_data_list }),
      meanFrameRateHz: parseRateHz(video.avg_frame_rate) ?? packetsHz,
      baseFrameRateHz: parseRateHz(video.r_frame_rate),
      endS: endOf(video),
    },
    audio: audio.map((one) => ({ index: one.index, language: languageOf(one), endS: endOf(one) })),
    ...captionsOf(present, spans),
    // Its packet has no time of its own, so it is not among those that were read.
    cover: coverOf(probe.streams),
  });
}

/** The first attached picture of a size that is taken; one that is not spoils nothing. */
function coverOf(streams: readonly ProbeStream[]): Source['cover'] {
  for (const stream of streams) {
    if (stream.codec_type !== 'video' || stream.disposition?.attached_pic !== 1) continue;
    const display = displaySizeOf(stream);
    if (display.ok) return { index: stream.index, size: display.value };
  }
  return undefined;
}

function isMovingPicture(stream: ProbeStream): boolean {
  const still = stream.disposition?.attached_pic === 1 || stream.disposition?.timed_thumbnails === 1;
  return stream.codec_type === 'video' && !still;
}

function preferDefault(streams: readonly ProbeStream[]): ProbeStream | undefined {
  return streams.find((stream) => stream.disposition?.default === 1) ?? streams[0];
}

/** The default first, then the first of each other language that is said: what is a commentary or for those who do not see is not told from it. */
function soundsOf(streams: readonly ProbeStream[]): ProbeStream[] {
  const sounds = streams.filter((stream) => stream.codec_type === 'audio' && (stream.channels ?? 0) > 0);
  const first = preferDefault(sounds);
  if (first === undefined) return [];
  const byLanguage = new Map([[languageOf(first), first]]);
  for (const sound of sounds.filter(isWhole)) {
    const language = languageOf(sound);
    if (language !== 'und' && !byLanguage.has(language)) byLanguage.set(language, sound);
  }
  return [...byLanguage.values()].slice(0, languagesMax);
}

/** What ffmpeg turns into text; the others are pictures of text. */
const textCodecs = new Set(['mov_text', 'subrip', 'srt', 'ass', 'ssa', 'webvtt', 'text']);

/** The text streams: the default first, then the first of each other language and kind. */
function captionsOf(
  streams: readonly ProbeStream[],
  spans: ReadonlyMap<number, PacketSpan>,
): Pick<Source, 'captions' | 'notices'> {
  const notices: string[] = [];
  const byKind = new Map<string, CaptionPlan>();
  const tracks = streams.filter((stream) => stream.codec_type === 'subtitle');
  const isDefault = (stream: ProbeStream): boolean => stream.disposition?.default === 1;
  for (const track of [...tracks.filter(isDefault), ...tracks.filter((one) => !isDefault(one))]) {
    const { index, codec_name: codec = 'unknown' } = track;
    const caption = { streamIndex: index, language: languageOf(track), kind: captionKindOf(track) };
    const key = `${caption.language} ${caption.kind}`;
    if (!textCodecs.has(codec))
      notices.push(`captions in stream ${index} are pictures (${codec.slice(0, 40)}), not text`);
    else if (isTooMuch(spans.get(index)))
      notices.push(`captions in stream ${index} are left out: they hold more than captions do (${key})`);
    else if (track.disposition?.comment === 1 || byKind.has(key) || byKind.size === captionTracksMax)
      notices.push(`captions in stream ${index} are left out: there are others (${key})`);
    else byKind.set(key, caption);
  }
  return { captions: [...byKind.values()], notices: notices.slice(0, noticesMax) };
}

function isTooMuch(span: PacketSpan | undefined): boolean {
  const { sizeBytes, cueBytes } = captionStreamLimits;
  return span !== undefined && (span.bytes > sizeBytes || span.largestBytes > cueBytes);
}

function captionKindOf({ disposition = {} }: ProbeStream): CaptionPlan['kind'] {
  if (disposition['forced'] === 1) return 'forced';
  return disposition['hearing_impaired'] === 1 ? 'captions' : 'subtitles';
}

/** Neither a commentary nor made for those who hear or see little. */
function isWhole({ disposition = {} }: ProbeStream): boolean {
  return ['comment', 'hearing_impaired', 'visual_impaired'].every((kind) => disposition[kind] !== 1);
}

function checkDuration(
  probe: Probe,
  found: { demuxer: Demuxer; startS: number; spans: ReadonlyMap<number, PacketSpan> },
): Result<never> | undefined {
  const lengthS = Math.max(0, ...[...found.spans.values()].map((span) => span.endS)) - found.startS;
  if (lengthS > durationSMax) {
    return refused('SOURCE_REFUSED', `it lasts ${Math.round(lengthS / 3600)} hours; at most 24 are taken`);
  }
  const statedS = Number(probe.format.duration ?? NaN);
  if (guessing.has(found.demuxer) || !Number.isFinite(statedS)) return undefined;
  if (lengthS >= statedS - Math.max(slackS, statedS * 0.02)) return undefined;
  return refused(
    'SOURCE_TRUNCATED',
    `its header states ${statedS.toFixed(1)} s, but only ${lengthS.toFixed(1)} s are there; copy it again`,
  );
}

function displaySizeOf(stream: ProbeStream): Result<Size> {
  const { width = 0, height = 0 } = stream;
  const [, x = '1', y = '1'] = /^(\d+):(\d+)$/.exec(stream.sample_aspect_ratio ?? '') ?? [];
  const ratio = Number(x) > 0 && Number(y) > 0 ? Number(x) / Number(y) : 1;
  // Stretched, never squeezed: no line and no column of the source is lost.
  const square =
    ratio >= 1 ? { width: Math.round(width * ratio), height } : { width, height: Math.round(height / ratio) };
  const display = isTurned(stream) ? { width: square.height, height: square.width } : square;
  if (Math.min(display.width, display.height) < sideMin || display.width * display.height > pixelsMax) {
    const range = `from ${sideMin}x${sideMin} to ${pixelsMax / 2 ** 20} megapixels`;
    return refused('SOURCE_REFUSED', `its picture is ${display.width}x${display.height}; taken is ${range}`);
  }
  return ok(display);
}

function isTurned(stream: ProbeStream): boolean {
  const side = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation;
  const degrees = side ?? (Number(stream.tags?.rotate ?? 0) || 0);
  return Math.abs(degrees) % 180 === 90;
}

function hdrOf(stream: ProbeStream): Source['video']['hdr'] {
  const { color_transfer: transfer } = stream;
  return transfer === 'smpte2084' || transfer === 'arib-std-b67' ? transfer : undefined;
}

const ranges = { smpte2084: 'pq', 'arib-std-b67': 'hlg' } as const;

/** HDR is kept of pictures in BT.2020 with 10 bits or more, as BT.2100 has it; what is else called PQ or HLG is only mapped to SDR. */
function keepsOf(stream: ProbeStream): Source['video']['keeps'] {
  const hdr = hdrOf(stream);
  const { color_primaries: primaries, color_space: matrix = 'bt2020nc', pix_fmt: format = '' } = stream;
  const isDeep = /^(?:yuv4(?:20|22|44)p|p[024])1[0-6][lb]e$/.test(format);
  const isWide = primaries === 'bt2020' && matrix === 'bt2020nc';
  return hdr !== undefined && isDeep && isWide ? ranges[hdr] : undefined;
}

function languageOf(stream: ProbeStream): string {
  const language = stream.tags?.language ?? '';
  if (!/^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*$/.test(language)) return 'und';
  // Files say `ger` or `deu` (ISO 639-2), players and people `de` (BCP 47).
  const canonical = canonicalLanguage(language);
  return canonical.ok ? canonical.value : 'und';
}

import type {
  AudioRendition,
  Bundle,
  CaptionTrack,
  Segment,
  VideoRendition,
} from '../../common/contract/bundle.ts';
import { coded } from '../../common/runtime/errors.ts';
import { hertzOf } from '../core/frame-rate.ts';
import type { EncodePlan } from '../core/plan.ts';
import type { BuiltFile } from './built-file.ts';
import type { Mp4Index } from './index-mp4.ts';

/** A rendition with its files. */
export interface PackagedMedia {
  media: BuiltFile;
  index: Mp4Index;
  playlist: BuiltFile;
}

/** Captions with their files. */
export interface PackagedCaptions extends Pick<CaptionTrack, 'language' | 'kind'> {
  media: BuiltFile;
  playlist: BuiltFile;
}

/** Everything that a bundle lists. */
export interface Packaged {
  plan: EncodePlan;
  /** In the order of the plan's rungs. */
  video: readonly (PackagedMedia & { iframePlaylist: BuiltFile })[];
  /** In the order of the plan's. */
  audio: readonly PackagedMedia[];
  captions: readonly PackagedCaptions[];
  poster: BuiltFile;
  sprites: readonly BuiltFile[];
  vtt: BuiltFile;
}

/** Writes down all that manifests are later made of. */
export function describeBundle(packaged: Packaged): Bundle {
  const { plan, video, audio, captions, poster, sprites, vtt } = packaged;
  const { tiles } = plan;
  return {
    version: 1,
    durationMs: Math.max(1, Math.round(plan.durationS * 1000)),
    files: listOnce(filesOf(packaged)),
    video: video.map((item, index) => describeVideo(item, plan, index)),
    audio: audio.map((item, index) => describeAudio(item, plan, index)),
    ...(captions.length > 0 && { captions: captions.map(describeCaptions) }),
    poster: poster.file,
    thumbnails: {
      vtt: vtt.file,
      sprites: sprites.map((sprite) => sprite.file),
      tileWidth: tiles.width,
      tileHeight: tiles.height,
      columns: tiles.columns,
      rows: tiles.rows,
      intervalMs: Math.max(1, Math.round((tiles.intervalFrames / hertzOf(plan.video.frameRate)) * 1000)),
    },
  };
}

/** Every file that is published before the bundle. */
export function filesOf({ video, audio, captions, poster, sprites, vtt }: Packaged): BuiltFile[] {
  return [
    ...video.flatMap(({ media, playlist, iframePlaylist }) => [media, playlist, iframePlaylist]),
    ...[...audio, ...captions].flatMap(({ media, playlist }) => [media, playlist]),
    poster,
    ...sprites,
    vtt,
  ];
}

function describeCaptions(
  { language, kind, media, playlist }: PackagedCaptions,
  index: number,
): CaptionTrack {
  return { id: `captions-${index + 1}`, language, kind, file: media.file, playlist: playlist.file };
}

/** Two files with the same bytes are one file: sprites of a black picture, for instance. */
function listOnce(files: readonly BuiltFile[]): Bundle['files'] {
  const listed = new Map<string, Bundle['files'][number]>();
  for (const { file, ext, role, sizeBytes } of files) {
    if (role !== 'bundle' && role !== 'picture' && !listed.has(file))
      listed.set(file, { file, ext, role, sizeBytes });
  }
  return [...listed.values()];
}

function describeVideo(item: Packaged['video'][number], plan: EncodePlan, rungIndex: number): VideoRendition {
  const rung = plan.video.rungs[rungIndex];
  if (rung === undefined) throw coded('ENCODE_FAILED', `rendition ${rungIndex} was not planned`);
  const { segments, timescale } = item.index;
  const iframeBits = segments.map(
    (segment) => (segment.firstSampleEndBytes * 8 * timescale) / segment.durationTicks,
  );
  return {
    ...describeMedia(item),
    id: rung.id,
    width: rung.width,
    height: rung.height,
    frameRate: Math.round(hertzOf(plan.video.frameRate) * 1000) / 1000,
    iframePlaylist: item.iframePlaylist.file,
    iframeBandwidth: Math.ceil(Math.max(1, ...iframeBits)),
    ...(rung.videoRange !== 'sdr' && { videoRange: rung.videoRange }),
  };
}

function describeAudio(item: PackagedMedia, plan: EncodePlan, index: number): AudioRendition {
  const audio = plan.audio[index];
  if (audio === undefined) throw coded('ENCODE_FAILED', `sound ${index} was not planned`);
  const { language, channels, sampleRateHz } = audio;
  const id = index === 0 ? 'audio' : `audio-${index + 1}`;
  return { ...describeMedia(item), id, language, channels, sampleRateHz };
}

function describeMedia({ media, index, playlist }: PackagedMedia) {
  const { segments, timescale } = index;
  const ticks = segments.reduce((sum, segment) => sum + segment.durationTicks, 0);
  const bytes = segments.reduce((sum, segment) => sum + segment.lengthBytes, 0);
  const averageBandwidth = Math.ceil((bytes * 8 * timescale) / ticks);
  return {
    file: media.file,
    playlist: playlist.file,
    codecs: index.codecs,
    averageBandwidth,
    // A last segment that was too short to count may have been the densest.
    peakBandwidth: Math.max(averageBandwidth, peakBandwidth(index)),
    timescale,
    initLengthBytes: index.initLengthBytes,
    segments: segments.map(({ offsetBytes, lengthBytes, durationTicks }): Segment => [
      offsetBytes,
      lengthBytes,
      durationTicks,
    ]),
  };
}

/**
 * The largest bit rate of any run of segments that lasts from half to one and a half target durations (RFC 8216
 * §4.1): a short last segment alone is none.
 */
function peakBandwidth({ segments, timescale }: Mp4Index): number {
  const targetTicks = Math.max(...segments.map((segment) => segment.durationTicks));
  const whole = segments.filter((segment) => segment.durationTicks * 2 >= targetTicks);
  const bits = whole.map((segment) => (segment.lengthBytes * 8 * timescale) / segment.durationTicks);
  return Math.ceil(Math.max(1, ...bits));
}

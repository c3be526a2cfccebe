import type { Demuxer } from './container.ts';
import { hertzOf } from './frame-rate.ts';
import { lightParameters } from './hdr-light.ts';
import type { Rung } from './ladder.ts';
import type { WantedCaptions } from './captions.ts';
import type { AudioPlan, CoverPlan, EncodePlan } from './plan.ts';

/** Samples that ffmpeg's AAC encoder puts before the first one it is given. */
const aacPrimingSamples = 1024;
const pixelsMax = 8192 * 8192;

/** Names, within the working directory, of what the encode writes. */
export const outputNames = {
  video: (index: number): string => `video-${index}.mp4`,
  audio: (index: number): string => `audio-${index}.m4a`,
  captions: (index: number): string => `captions-${index}.vtt`,
  sidecarSource: (index: number): string => `beside-${index}.ass`,
  sidecar: (index: number): string => `beside-${index}.vtt`,
  poster: 'poster.jpg',
  cover: 'cover.jpg',
  spritePattern: 'sprite-%05d.jpg',
  sprite: (index: number): string => `sprite-${String(index + 1).padStart(5, '0')}.jpg`,
};

/** What every reading of a source is told: no protocol but files and pipes, no demuxer but the one sniffed. */
export function inputArguments(input: { name: string; demuxer: Demuxer }): string[] {
  return ['-protocol_whitelist', 'file,pipe', '-f', input.demuxer, '-i', `file:${input.name}`];
}

/** Asks ffprobe for what streams there are. */
export function probeArguments(input: { name: string; demuxer: Demuxer }): string[] {
  return [...quiet, '-show_streams', '-show_format', '-of', 'json', ...inputArguments(input)];
}

/** Asks ffprobe for each packet as a line `stream,pts,dts,duration,size`; `N/A` is left to `readPacketLine`. */
export function scanArguments(input: { name: string; demuxer: Demuxer }): string[] {
  const entries = ['-show_entries', 'packet=stream_index,pts_time,dts_time,duration_time,size'];
  return [...quiet, ...entries, '-of', 'csv=p=0:nk=1', ...inputArguments(input)];
}

/** Packets that hold a picture, also where a recording begins between two. */
const firstPackets = 8;

/** Asks ffprobe for what the first pictures of a stream say beside themselves. */
export function firstFramesArguments(
  streamIndex: number,
  input: { name: string; demuxer: Demuxer },
): string[] {
  const these = ['-select_streams', String(streamIndex), '-read_intervals', `%+#${firstPackets}`];
  const entries = ['-show_frames', '-show_entries', 'frame=side_data_list', '-of', 'json'];
  return [...quiet, ...these, ...entries, ...inputArguments(input)];
}

const quiet = ['-hide_banner', '-loglevel', 'error'];

/**
 * The whole encode in one command, one decode: all renditions, the sound in each language, the poster and the thumbnails. The preset
 * `veryfast` at CRF 23 under a cap is the default quality: twice as fast as `medium` for a tenth more bytes.
 */
export function encodeArguments(
  plan: EncodePlan,
  input: { name: string; demuxer: Demuxer; threads: number },
): string[] {
  const threads = String(input.threads);
  return [
    ...quiet,
    '-nostdin',
    '-y',
    ...['-progress', 'pipe:1', '-stats_period', '0.5'],
    ...['-threads', threads, '-max_pixels', String(pixelsMax)],
    // A picture size that changes on the way is the scaler's work: a graph made anew would begin at 0 again.
    ...(plan.video.turned ? [] : ['-reinit_filter', '0']),
    ...inputArguments(input),
    ...['-filter_complex_threads', threads, '-filter_complex', filterGraph(plan)],
    ...plan.video.rungs.flatMap((rung, index) => [
      ...['-map', `[v${index}]`, ...videoCodec(plan, rung, input.threads)],
      ...['-fps_mode', 'passthrough', '-video_track_timescale', String(plan.video.timescale), ...plain],
      ...['-movflags', fragmented, '-f', 'mp4', outputNames.video(index)],
    ]),
    ...plan.audio.flatMap(audioOutput),
    ...['-map', '[poster]', '-frames:v', '1', '-update', '1', ...image, outputNames.poster],
    ...['-map', '[sprites]', ...image, outputNames.spritePattern],
  ];
}

/** Makes a poster of the picture that a file brings along. */
export function coverArguments(plan: CoverPlan, input: { name: string; demuxer: Demuxer }): string[] {
  return [
    ...[...quiet, '-nostdin', '-y', '-threads', '1', '-max_pixels', String(pixelsMax)],
    ...inputArguments(input),
    ...['-map', `0:${plan.streamIndex}`, '-vf', `${scale(plan, 'pc')},format=yuvj420p,setsar=1`],
    ...['-frames:v', '1', '-update', '1', ...image, outputNames.cover],
  ];
}

/** Makes WebVTT of those of the planned captions whose numbers are wanted, in one reading of the source. */
export function captionArguments(
  { captions, wanted }: WantedCaptions,
  input: { name: string; demuxer: Demuxer },
): string[] {
  return [
    ...[...quiet, '-nostdin', '-y', '-threads', '1'],
    ...inputArguments(input),
    ...wanted.flatMap((number) => [
      ...['-map', `0:${captions[number]?.streamIndex ?? -1}`, '-c:s', 'webvtt', ...plain],
      ...['-f', 'webvtt', outputNames.captions(number)],
    ]),
  ];
}

/** Makes WebVTT of a file of ASS in UTF-8 that lies beside the source. */
export function sidecarArguments(number: number): string[] {
  return [
    ...[...quiet, '-nostdin', '-y', '-threads', '1', '-protocol_whitelist', 'file,pipe'],
    ...['-f', 'ass', '-i', `file:${outputNames.sidecarSource(number)}`],
    ...['-map', '0:s:0', '-c:s', 'webvtt', ...plain, '-f', 'webvtt', outputNames.sidecar(number)],
  ];
}

// Nothing of the source's metadata is passed on, and nothing that names the tool: same source, same bytes, same names.
const plain = ['-map_metadata', '-1', '-map_chapters', '-1', '-fflags', '+bitexact'];
const image = ['-c:v', 'mjpeg', '-q:v', '4', '-fps_mode', 'passthrough', ...plain, '-f', 'image2'];
// global_sidx: one flat sidx at the front. negative_cts_offsets: B-frames and yet a presentation that starts at 0.
const fragmented = '+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets+global_sidx';

function videoCodec({ video }: EncodePlan, rung: Rung, threads: number): string[] {
  const { bitsPerSecondMax: bits, videoRange } = rung;
  const cap = ['-maxrate', String(bits), '-bufsize', String(bits * 2)];
  // Closed groups of exactly so many frames in every rendition: no key frame at a cut of scenes.
  const gop = ['-g', String(video.framesPerSegment), '-flags:v', '+cgop+bitexact'];
  if (videoRange !== 'sdr') {
    // With more, what it makes under a cap depends on which thread was first: the same source would give other bytes.
    const parameters = ['lp=1', ...lightParameters(video.light)].join(':');
    const av1 = ['-c:v', 'libsvtav1', '-preset', '12', '-crf', '35', '-svtav1-params', parameters];
    return [...av1, ...cap, ...gop];
  }
  return [
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'high', '-crf', '23', ...cap],
    ...[...gop, '-keyint_min', String(video.framesPerSegment), '-sc_threshold', '0'],
    ...['-threads:v', String(threads)],
  ];
}

function audioOutput({ bitsPerSecond }: AudioPlan, index: number): string[] {
  return [
    ...[
      '-map',
      `[a${index}]`,
      '-c:a',
      'aac',
      '-b:a',
      String(bitsPerSecond),
      '-flags:a',
      '+bitexact',
      ...plain,
    ],
    ...['-frag_duration', '4000000', '-movflags', '+empty_moov+default_base_moof+global_sidx'],
    ...['-f', 'mp4', outputNames.audio(index)],
  ];
}

function filterGraph(plan: EncodePlan): string {
  const { video, audio, poster, tiles } = plan;
  const numbered = video.rungs.map((rung, index) => ({ ...rung, index }));
  const names = (isSdr: boolean): string[] =>
    numbered.filter(({ videoRange }) => (videoRange === 'sdr') === isSdr).map(({ index }) => `s${index}`);
  const [sdr, hdr] = [[...names(true), 'sp', 'st'], names(false)];
  const branches = numbered.map((rung) =>
    rung.index === 0 ? '[s0]null[v0]' : `[s${rung.index}]${scale(rung)},setsar=1[v${rung.index}]`,
  );
  const forSdr = `${toSdr(plan).join(',')},split=${sdr.length}${labels(sdr)}`;
  const prepared = `[0:${video.streamIndex}]${preparation(plan).join(',')}`;
  const trunk =
    hdr.length === 0
      ? [`${prepared},${forSdr}`]
      : [
          `${prepared},split=2[sdr][hdr]`,
          `[sdr]${forSdr}`,
          `[hdr]${toHdr(plan).join(',')},split=${hdr.length}${labels(hdr)}`,
        ];
  const chains = [
    ...trunk,
    ...branches,
    `[sp]trim=start_frame=${poster.firstFrame}:end_frame=${poster.firstFrame + poster.frames},` +
      `thumbnail=n=${Math.max(2, poster.frames)},${scale(poster, 'pc')},format=yuvj420p[poster]`,
    `[st]select='not(mod(n,${tiles.intervalFrames}))',${scale(tiles, 'pc')},format=yuvj420p,` +
      `tile=${tiles.columns}x${tiles.rows}[sprites]`,
  ];
  return [...chains, ...audio.map(audioChain)].join(';');
}

/** The encoder's priming is heard as the first 21 ms, so as many samples are left out to keep sound and picture together. */
function audioChain({ streamIndex, sampleRateHz, sampleCount }: AudioPlan, index: number): string {
  return (
    `[0:${streamIndex}]aresample=${sampleRateHz}:async=1000:first_pts=0,` +
    `aformat=sample_rates=${sampleRateHz}:channel_layouts=stereo,apad,` +
    `atrim=start_sample=${aacPrimingSamples}:end_sample=${Math.max(sampleCount, 2 * aacPrimingSamples)},` +
    `asetpts=N/SR/TB[a${index}]`
  );
}

/** From the decoder's frames to those of the top rendition's size, at a constant rate from 0 on. */
function preparation({ video }: EncodePlan): string[] {
  const [top] = video.rungs;
  const { num, den } = video.frameRate;
  return [
    ...(video.deinterlace ? ['yadif=deint=interlaced'] : []),
    `fps=fps=${num}/${den}:start_time=0`,
    ...(video.holdS > 0
      ? [`tpad=stop_mode=clone:stop_duration=${(video.holdS + 1 / hertzOf(video.frameRate)).toFixed(3)}`]
      : []),
    ...(top === undefined ? [] : [scale(top)]),
  ];
}

/** Square pixels of 8 bits, limited range. */
function toSdr(plan: EncodePlan): string[] {
  const { hdr } = plan.video;
  return [...(hdr === undefined ? [] : toneMapping(hdr)), 'format=yuv420p', 'setsar=1', trimmed(plan)];
}

/** The colours of BT.2020 as they are, in 10 bits. */
function toHdr(plan: EncodePlan): string[] {
  const colours = `color_primaries=bt2020:color_trc=${plan.video.hdr ?? ''}:colorspace=bt2020nc:range=tv`;
  return ['format=yuv420p10le', `setparams=${colours}`, 'setsar=1', trimmed(plan)];
}

function trimmed({ video, durationS }: EncodePlan): string {
  return `trim=end_frame=${Math.ceil(durationS * hertzOf(video.frameRate) - 1e-6)}`;
}

function toneMapping(transfer: string): string[] {
  return [
    `zscale=tin=${transfer}:min=2020_ncl:pin=2020:rin=limited:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=709',
    'tonemap=tonemap=hable:desat=0',
    'zscale=t=709:m=709:r=limited',
  ];
}

function scale(size: { width: number; height: number }, range: 'tv' | 'pc' = 'tv'): string {
  return `scale=${size.width}:${size.height}:flags=bicubic:out_range=${range}`;
}

function labels(names: readonly string[]): string {
  return names.map((name) => `[${name}]`).join('');
}

import type { CaptionPlan } from './captions.ts';
import { chooseFrameRate, hertzOf, type FrameRate } from './frame-rate.ts';
import type { HdrLight } from './hdr-light.ts';
import { fitInto, planHdrLadder, planLadder, turnLike, type Rung, type Size } from './ladder.ts';
import type { Source } from './probe.ts';

/** All that is decided about an encode before ffmpeg is asked for it. */
export interface EncodePlan {
  durationS: number;
  video: {
    streamIndex: number;
    deinterlace: boolean;
    turned: boolean;
    hdr: Source['video']['hdr'];
    frameRate: FrameRate;
    frameCount: number;
    /** For how long the last picture stands still because the sound goes on. */
    holdS: number;
    /** A closed group of pictures, a fragment and a segment are one and the same. */
    framesPerSegment: number;
    /** Ticks a second; a frame is a whole number of them. */
    timescale: number;
    ticksPerFrame: number;
    /** In SDR from the top down, then in HDR. */
    rungs: readonly Rung[];
    /** What the HDR renditions say of their light. */
    light: HdrLight;
  };
  /** The one that is heard unless another is chosen first. */
  audio: readonly AudioPlan[];
  captions: readonly CaptionPlan[];
  poster: Size & { firstFrame: number; frames: number };
  /** The poster in place of that, where the file brings one along that can be read. */
  cover: CoverPlan | undefined;
  tiles: TilePlan;
}

export interface CoverPlan extends Size {
  streamIndex: number;
}

export interface AudioPlan {
  streamIndex: number;
  language: string;
  channels: 2;
  sampleRateHz: 48_000;
  bitsPerSecond: number;
  /** Samples of the presentation; shorter sound is followed by silence. */
  sampleCount: number;
}

/** Thumbnails: one every `intervalFrames`, in sprites of `columns` × `rows`. */
export interface TilePlan extends Size {
  intervalFrames: number;
  columns: number;
  rows: number;
}

/** Seconds that a segment lasts; with 24000/1001 and the like the nearest whole number of frames. */
export const segmentDurationS = 4;
const sampleRateHz = 48_000;
const posterBox = { width: 1280, height: 720 };
const tileBox = { width: 160, height: 90 };
/** Ticks of a frame where the rate is a whole number; of 24000/1001 and the like, the denominator. */
const ticksPerFrame = 1000;

/** Turns what is known of a source into the plan of its encode. Pure: the same source gives the same files. */
export function planEncode(source: Source, { light = {} }: { light?: HdrLight } = {}): EncodePlan {
  const { video, audio, cover } = source;
  const frameRate = chooseFrameRate(video.meanFrameRateHz, video.baseFrameRateHz);
  const hz = hertzOf(frameRate);
  const videoFrames = Math.max(1, Math.round(video.endS * hz));
  // Sound that outlasts the picture is heard to its end, over the last picture.
  const frameCount = Math.max(videoFrames, ...audio.map(({ endS }) => Math.floor(endS * hz)));
  const durationS = frameCount / hz;
  const ticks = frameRate.den === 1 ? ticksPerFrame : frameRate.den;
  const ladder = planLadder(video.display, hz);
  const [top = video.display] = ladder;
  return {
    durationS,
    video: {
      streamIndex: video.index,
      deinterlace: video.interlaced,
      turned: video.turned,
      hdr: video.hdr,
      frameRate,
      frameCount,
      holdS: (frameCount - videoFrames) / hz,
      framesPerSegment: Math.round(segmentDurationS * hz),
      timescale: frameRate.den === 1 ? frameRate.num * ticks : frameRate.num,
      ticksPerFrame: ticks,
      rungs: [...ladder, ...(video.keeps === undefined ? [] : planHdrLadder(ladder, video.keeps))],
      light,
    },
    audio: audio.map(({ index, language }) => ({
      streamIndex: index,
      language,
      channels: 2,
      sampleRateHz,
      bitsPerSecond: 128_000,
      sampleCount: Math.round(durationS * sampleRateHz),
    })),
    captions: source.captions,
    poster: {
      ...fitInto(top, turnLike(posterBox, top)),
      firstFrame: Math.floor(videoFrames / 10),
      frames: Math.min(50, Math.max(1, Math.floor(videoFrames / 2))),
    },
    cover: cover && { streamIndex: cover.index, ...fitInto(cover.size, turnLike(posterBox, cover.size)) },
    tiles: {
      ...fitInto(top, turnLike(tileBox, top)),
      intervalFrames: Math.max(1, Math.round(tileIntervalSOf(durationS) * hz)),
      columns: 5,
      rows: 5,
    },
  };
}

function tileIntervalSOf(durationS: number): number {
  if (durationS <= 600) return 2;
  return durationS <= 3600 ? 5 : 10;
}

/** Bytes that the encode writes at most, by the renditions' caps. */
export function outputSizeBytesMax(plan: EncodePlan): number {
  const all = [
    ...plan.video.rungs.map(({ bitsPerSecondMax }) => bitsPerSecondMax),
    ...plan.audio.map(({ bitsPerSecond }) => bitsPerSecond),
  ];
  const bits = all.reduce((sum, one) => sum + one, 0);
  return Math.ceil(((bits * (plan.durationS + segmentDurationS)) / 8) * 1.1) + 1024 * 1024;
}

/** How many bytes one output file may have, how much time the whole may take. Twice and more what is ever needed. */
export function limitsOf(plan: EncodePlan): { fileSizeBytesMax: number; timeoutMs: number } {
  const [top] = plan.video.rungs;
  const bits = (top?.bitsPerSecondMax ?? 0) * (plan.durationS + segmentDurationS);
  return {
    fileSizeBytesMax: Math.ceil((2 * bits) / 8) + 64 * 1024 * 1024,
    timeoutMs: 600_000 + Math.ceil(plan.durationS) * 40_000,
  };
}

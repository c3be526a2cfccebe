import { coded } from '../../common/runtime/errors.ts';
import type { EncodePlan } from '../core/plan.ts';
import type { Mp4Index } from './index-mp4.ts';

// The last picture of a stream may be missing in what its header promised; a second of it may not.
const missingSMax = 1;
/** What players are told of a range holds only where the pictures are in its depth and colours (ITU-T H.273). */
const codecsOf = {
  sdr: /^avc1\./,
  pq: /^av01\.0\.\d\d[MH]\.10\.0\.11\d\.09\.16\.09\.0$/,
  hlg: /^av01\.0\.\d\d[MH]\.10\.0\.11\d\.09\.18\.09\.0$/,
};

/**
 * Holds what ffmpeg made against the plan: every rendition is in its colours and has the same segments, each begins with a key frame, all but
 * the last are of the planned length, and the film is as long as it should be.
 *
 * @returns the number of frames that each rendition has
 * @throws ENCODE_FAILED, or SOURCE_TRUNCATED when the film is shorter than its source said
 */
export function checkRenditions(plan: EncodePlan, renditions: readonly Mp4Index[]): number {
  const [first] = renditions;
  const { framesPerSegment, ticksPerFrame, timescale } = plan.video;
  if (first === undefined) throw coded('ENCODE_FAILED', 'there is no rendition');
  renditions.forEach(({ codecs, segments, timescale: actual }, rendition) => {
    const wanted = codecsOf[plan.video.rungs[rendition]?.videoRange ?? 'sdr'];
    if (!wanted.test(codecs)) throw coded('ENCODE_FAILED', `rendition ${rendition} is ${codecs}`);
    if (actual !== timescale) throw coded('ENCODE_FAILED', `rendition ${rendition} counts time otherwise`);
    segments.forEach((segment, index) => {
      const where = `segment ${index} of rendition ${rendition}`;
      const twin = first.segments[index];
      if (!segment.startsWithKeyFrame) throw coded('ENCODE_FAILED', `${where} begins with no key frame`);
      if (segment.durationTicks !== twin?.durationTicks || segments.length !== first.segments.length) {
        throw coded('ENCODE_FAILED', `${where} does not begin and end where it does in the others`);
      }
      const last = index === segments.length - 1;
      const framesMax = framesPerSegment * ticksPerFrame;
      if (last ? segment.durationTicks > framesMax : segment.durationTicks !== framesMax) {
        throw coded('ENCODE_FAILED', `${where} does not have ${framesPerSegment} frames`);
      }
    });
  });
  const frames = first.segments.reduce((sum, segment) => sum + segment.samples, 0);
  const missingS = ((plan.video.frameCount - frames) * ticksPerFrame) / timescale;
  if (missingS > Math.max(missingSMax, plan.durationS * 0.02)) {
    const madeS = ((frames * ticksPerFrame) / timescale).toFixed(1);
    throw coded(
      'SOURCE_TRUNCATED',
      `only ${madeS} s of ${plan.durationS.toFixed(1)} s could be decoded; copy the source again`,
    );
  }
  return frames;
}

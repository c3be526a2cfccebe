import t from 'tap';
import { planEncode, type EncodePlan } from '../../../encoder/core/plan.ts';
import { checkRenditions } from '../../../encoder/package/check-renditions.ts';
import type { Mp4Index } from '../../../encoder/package/index-mp4.ts';

const plan: EncodePlan = planEncode({
  video: {
    ...{ index: 0, display: { width: 1280, height: 720 }, turned: false, interlaced: false, hdr: undefined },
    ...{ meanFrameRateHz: 25, baseFrameRateHz: 25, endS: 10 },
  },
  audio: [],
  captions: [],
  notices: [],
});

function rendition(frames: readonly number[], keyFrames = true): Mp4Index {
  const segments = frames.map((samples, index) => ({
    ...{ offsetBytes: index * 100, lengthBytes: 100, startTicks: index * 100_000, samples },
    ...{
      durationTicks: samples * 1000,
      startsWithKeyFrame: keyFrames,
      firstSampleEndBytes: 50,
      presentationStartTicks: 0,
    },
  }));
  return { sizeBytes: 1000, initLengthBytes: 10, timescale: 25_000, codecs: 'avc1.64001f', segments };
}

t.test('renditions that agree', (t) => {
  t.equal(checkRenditions(plan, [rendition([100, 100, 50]), rendition([100, 100, 50])]), 250);
  t.equal(checkRenditions(plan, [rendition([100, 100, 45])]), 245, 'a few frames less than the header said');
  t.end();
});

t.test('renditions that must not be published', (t) => {
  const whole = rendition([100, 100, 50]);
  t.throws(() => checkRenditions(plan, []), { code: 'ENCODE_FAILED' });
  t.throws(() => checkRenditions(plan, [whole, rendition([100, 100, 49])]), { code: 'ENCODE_FAILED' });
  t.throws(() => checkRenditions(plan, [whole, rendition([100, 100])]), { code: 'ENCODE_FAILED' });
  t.throws(() => checkRenditions(plan, [rendition([100, 90, 60])]), { code: 'ENCODE_FAILED' });
  t.throws(() => checkRenditions(plan, [rendition([100, 100, 50], false)]), { code: 'ENCODE_FAILED' });
  t.throws(() => checkRenditions(plan, [{ ...whole, timescale: 9 }]), { code: 'ENCODE_FAILED' });
  t.throws(() => checkRenditions(plan, [rendition([100, 10])]), { code: 'SOURCE_TRUNCATED' });
  t.end();
});

t.test('HDR that is not in the colours that players are told of must not be published', (t) => {
  const [top] = plan.video.rungs;
  const bright = { ...plan.video, rungs: [...plan.video.rungs.slice(0, 1), { ...top, videoRange: 'pq' }] };
  const hdrPlan = { ...plan, video: bright } as EncodePlan;
  const [sdr, hdr] = [rendition([100, 100, 50]), rendition([100, 100, 50])];
  const made = (codecs: string) => () => checkRenditions(hdrPlan, [sdr, { ...hdr, codecs }]);
  t.equal(made('av01.0.08M.10.0.111.09.16.09.0')(), 250);
  for (const codecs of [
    'av01.0.08M.10',
    'av01.0.08M.08.0.111.09.16.09.0',
    'av01.0.08M.10.0.111.09.18.09.0',
    'av01.0.08M.10.0.111.01.01.01.0',
    'avc1.64001f',
  ])
    t.throws(made(codecs), { code: 'ENCODE_FAILED' }, codecs);
  t.end();
});

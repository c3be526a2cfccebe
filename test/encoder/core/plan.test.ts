import fc from 'fast-check';
import t from 'tap';
import { encodeArguments } from '../../../encoder/core/ffmpeg-arguments.ts';
import { limitsOf, outputSizeBytesMax, planEncode } from '../../../encoder/core/plan.ts';
import type { Source } from '../../../encoder/core/probe.ts';

function source(changes: Partial<Source['video']> = {}, audioEndS?: number): Source {
  return {
    video: {
      ...{
        index: 0,
        display: { width: 1280, height: 720 },
        turned: false,
        interlaced: false,
        hdr: undefined,
      },
      ...{ meanFrameRateHz: 24, baseFrameRateHz: 24, endS: 120, ...changes },
    },
    audio: audioEndS === undefined ? [] : [{ index: 1, language: 'und', endS: audioEndS }],
    captions: [],
    notices: [],
  };
}

t.test('the two-minute film', (t) => {
  const plan = planEncode(source({}, 120.016));
  t.match(plan, {
    durationS: 120,
    video: { frameCount: 2880, framesPerSegment: 96, timescale: 24_000, ticksPerFrame: 1000, holdS: 0 },
    audio: [{ sampleCount: 5_760_000 }],
    tiles: { intervalFrames: 48, width: 160, height: 90 },
  });
  t.equal(plan.video.rungs.length, 4);
  t.end();
});

t.test('sound that outlasts the picture holds the last one', (t) => {
  const plan = planEncode(source({ endS: 10 }, 12));
  t.equal(plan.durationS, 12);
  t.equal(plan.video.holdS, 2);
  t.match(
    encodeArguments(plan, { name: 'source', demuxer: 'mov', threads: 2 }).join(' '),
    /tpad=stop_mode=clone/,
  );
  t.end();
});

t.test('for any source: whole ticks, segments of about 4 s, sane limits', (t) => {
  const side = fc.integer({ min: 16, max: 8192 });
  fc.assert(
    fc.property(
      fc.record({ width: side, height: side }),
      fc.double({ min: 0, max: 1e5, noNaN: true }),
      fc.double({ min: 0.01, max: 86_400, noNaN: true }),
      (display, meanFrameRateHz, endS) => {
        const plan = planEncode(source({ display, meanFrameRateHz, baseFrameRateHz: undefined, endS }));
        const { frameCount, framesPerSegment, frameRate, ticksPerFrame, timescale } = plan.video;
        const segmentS = (framesPerSegment * ticksPerFrame) / timescale;
        return (
          Number.isInteger(ticksPerFrame) &&
          Number.isInteger(timescale) &&
          ticksPerFrame * frameRate.num === timescale * frameRate.den &&
          Math.abs(segmentS - 4) < 0.05 &&
          frameCount >= 1 &&
          Math.ceil(frameCount / framesPerSegment) <= 65_535 &&
          plan.poster.firstFrame < frameCount &&
          plan.tiles.width % 2 === 0 &&
          limitsOf(plan).fileSizeBytesMax * 5 > outputSizeBytesMax(plan)
        );
      },
    ),
  );
  t.end();
});

t.test('the command line is confined and names no other file', (t) => {
  const plan = planEncode(source({}, 120));
  const args = encodeArguments(plan, { name: 'source', demuxer: 'mov', threads: 3 });
  const after = (flag: string): string | undefined => args[args.indexOf(flag) + 1];
  t.equal(after('-protocol_whitelist'), 'file,pipe');
  t.equal(after('-f'), 'mov');
  t.equal(after('-i'), 'file:source');
  t.ok(args.indexOf('-protocol_whitelist') < args.indexOf('-i') && args.indexOf('-f') < args.indexOf('-i'));
  t.equal(args.filter((arg) => arg === '-i').length, 1, 'one decode for everything');
  t.equal(args.filter((arg) => arg === '-g').length, 4);
  t.ok(args.includes('-nostdin'));
  t.end();
});

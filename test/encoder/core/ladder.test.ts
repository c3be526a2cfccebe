import fc from 'fast-check';
import t from 'tap';
import { fitInto, planHdrLadder, planLadder } from '../../../encoder/core/ladder.ts';

const sizes = (width: number, height: number): string[] =>
  planLadder({ width, height }, 25).map((rung) => `${rung.id} ${rung.width}x${rung.height}`);

t.test('ladders of common sources', (t) => {
  t.same(sizes(3840, 2160), [
    '1080p 1920x1080',
    '720p 1280x720',
    '540p 960x540',
    '360p 640x360',
    '240p 426x240',
  ]);
  t.same(sizes(1280, 720), ['720p 1280x720', '540p 960x540', '360p 640x360', '240p 426x240']);
  t.same(sizes(1920, 800)[0], '1080p 1920x800', 'a wide film fills the box by its width');
  t.same(sizes(1080, 1920)[0], '1080p 1080x1920', 'upright');
  t.same(sizes(720, 576), ['576p 720x576', '360p 450x360', '240p 300x240']);
  t.same(sizes(333, 251), ['250p 332x250']);
  t.same(sizes(160, 90), ['90p 160x90']);
  t.same(sizes(17, 17), ['16p 16x16']);
  t.end();
});

t.test('never above the source, always even, each rung clearly smaller, ids unique', (t) => {
  const side = fc.integer({ min: 16, max: 8192 });
  fc.assert(
    fc.property(side, side, fc.double({ min: 10, max: 60, noNaN: true }), (width, height, hz) => {
      const rungs = planLadder({ width, height }, hz);
      const decreasing = rungs.every((rung, index) => {
        const above = rungs[index - 1];
        if (above === undefined) return true;
        const smaller = rung.width * rung.height <= 0.7 * above.width * above.height;
        return smaller && rung.bitsPerSecondMax <= above.bitsPerSecondMax;
      });
      return (
        rungs.length >= 1 &&
        rungs.length <= 5 &&
        decreasing &&
        new Set(rungs.map((rung) => rung.id)).size === rungs.length &&
        rungs.every((rung) => rung.width <= width && rung.height <= height) &&
        rungs.every(
          (rung) => rung.width % 2 === 0 && rung.height % 2 === 0 && rung.width >= 2 && rung.height >= 2,
        ) &&
        rungs.every((rung) => /^[A-Za-z0-9._-]{1,32}$/.test(rung.id))
      );
    }),
    { numRuns: 2000 },
  );
  // As high as the box below, which it then fills with less than 0.7 of its pixels.
  t.strictSame(
    planLadder({ width: 509, height: 240 }, 25).map(({ id }) => id),
    ['240p', '200p'],
  );
  t.end();
});

t.test('fitting keeps the proportions within a pixel or two', (t) => {
  const side = fc.integer({ min: 200, max: 4000 });
  fc.assert(
    fc.property(side, side, (width, height) => {
      const box = { width: 640, height: 360 };
      const fitted = fitInto({ width, height }, box);
      const scale = Math.min(1, box.width / width, box.height / height);
      return Math.abs(fitted.width - width * scale) <= 2 && Math.abs(fitted.height - height * scale) <= 2;
    }),
  );
  t.end();
});

t.test('in HDR the two on top and one that a slow line bears, with fewer bits', (t) => {
  const of = (width: number, height: number): string[] =>
    planHdrLadder(planLadder({ width, height }, 25), 'pq').map(({ id }) => id);
  t.same(of(3840, 2160), ['1080p-pq', '720p-pq', '360p-pq']);
  t.same(of(1280, 720), ['720p-pq', '540p-pq', '240p-pq']);
  t.same(of(640, 360), ['360p-pq', '240p-pq']);
  t.same(of(3840, 60), [], 'nothing that the encoder refuses');
  const side = fc.integer({ min: 16, max: 8192 });
  fc.assert(
    fc.property(side, side, (width, height) => {
      const ladder = planLadder({ width, height }, 25);
      const hdr = planHdrLadder(ladder, 'hlg');
      const ids = [...ladder, ...hdr].map(({ id }) => id);
      return (
        new Set(ids).size === ids.length &&
        ids.every((id) => /^[A-Za-z0-9._-]{1,32}$/.test(id)) &&
        hdr.every((rung) => {
          const twin = ladder.find((one) => one.width === rung.width && one.height === rung.height);
          return twin !== undefined && rung.bitsPerSecondMax < twin.bitsPerSecondMax;
        })
      );
    }),
  );
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import { lightParameters, readLight, type SideData } from '../../../encoder/core/hdr-light.ts';

const display: SideData = {
  ...{ red_x: '34000/50000', red_y: '16000/50000', green_x: '13250/50000', green_y: '34500/50000' },
  ...{
    blue_x: '7500/50000',
    blue_y: '3000/50000',
    white_point_x: '15635/50000',
    white_point_y: '16450/50000',
  },
  ...{ min_luminance: '1/10000', max_luminance: '10000000/10000' },
};

t.test('the light of a source goes on as it is', async (t) => {
  t.same(lightParameters(readLight([{ rotation: 90 }, display, { max_content: 1000, max_average: 400 }])), [
    'mastering-display=G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)WP(0.31270,0.32900)L(1000.0000,0.0001)',
    'content-light=1000,400',
  ]);
  t.same(lightParameters(readLight([{ max_content: 600 }, { max_content: 1000 }])), ['content-light=600,0']);
  t.same(readLight([]), {});
});

t.test('what makes no sense is left out', async (t) => {
  for (const wrong of [
    { max_luminance: '1/0' },
    { max_luminance: '20000/1' },
    { min_luminance: '2000/1' },
    { red_x: '3/2' },
    { white_point_y: '1:2' },
  ])
    t.same(readLight([{ ...display, ...wrong }]), {});
  t.same(readLight([{ max_content: 0, max_average: 0 }, { max_content: 70_000 }]), {});
  const ratio = fc.option(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,9}\/\d{1,9}$/)), { nil: undefined });
  const any = fc.record(Object.fromEntries(Object.keys(display).map((key) => [key, ratio])));
  fc.assert(
    fc.property(any, fc.nat(), fc.nat(), (told, pixelMax, pictureMax) => {
      const light = readLight([told, { max_content: pixelMax, max_average: pictureMax }]);
      // Each is one word of ffmpeg's dictionary, whatever a stranger's file says.
      return lightParameters(light).every((word) => /^[a-z-]+=[0-9A-Z().,]{1,120}$/.test(word));
    }),
  );
});

import fc from 'fast-check';
import t from 'tap';
import { chooseFrameRate, hertzOf, parseRateHz } from '../../../encoder/core/frame-rate.ts';

t.test('standard rates stay exact', (t) => {
  const ntsc = { num: 24_000, den: 1001 };
  t.same(chooseFrameRate(24_000 / 1001), ntsc);
  t.same(chooseFrameRate(23.98), ntsc);
  t.same(chooseFrameRate(24), { num: 24, den: 1 });
  t.same(chooseFrameRate(25.01), { num: 25, den: 1 });
  t.same(chooseFrameRate(59.94), { num: 60_000, den: 1001 });
  t.same(chooseFrameRate(120), { num: 60, den: 1 }, 'halved until it is at most 60');
  t.same(chooseFrameRate(25, 50), { num: 25, den: 1 }, 'fields are no frames');
  t.end();
});

t.test('variable rates lose no frame', (t) => {
  t.same(chooseFrameRate(20.17, 30), { num: 30, den: 1 });
  t.same(chooseFrameRate(27.4), { num: 30, den: 1 });
  t.same(chooseFrameRate(27.4, 90_000), { num: 30, den: 1 }, 'a base rate that is none');
  t.same(chooseFrameRate(29.9, 90_000), { num: 30_000, den: 1001 });
  t.same(chooseFrameRate(3), { num: 10, den: 1 });
  t.end();
});

t.test('whatever a header says, the rate is sane', (t) => {
  for (const hz of [NaN, 0, -1, Infinity]) t.same(chooseFrameRate(hz), { num: 25, den: 1 });
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 1e6, noNaN: true }),
      fc.double({ noNaN: true }),
      (mean, base) => {
        const hz = hertzOf(chooseFrameRate(mean, base));
        return hz >= 10 && hz <= 60 && (mean > 60 || hz >= mean * 0.99);
      },
    ),
  );
  t.end();
});

t.test('ffprobe’s fractions', (t) => {
  t.equal(parseRateHz('30000/1001'), 30_000 / 1001);
  for (const text of ['0/0', '25/0', '25', '', undefined]) t.equal(parseRateHz(text), undefined);
  t.end();
});

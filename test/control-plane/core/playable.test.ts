import fc from 'fast-check';
import t from 'tap';
import { decodes } from '../../../control-plane/core/codec-fit.ts';
import { playableOn } from '../../../control-plane/core/playable.ts';
import { sampleBundle } from '../support/sample-bundle.ts';

t.test('what a device decodes at most', async (t) => {
  for (const [device, coded, isPlayed] of [
    ['avc1.640028', 'avc1.64001f', true],
    ['avc1.64001f', 'avc1.640028', false],
    ['avc1.640028', 'avc1.42e01e', true],
    ['avc1.42e01e', 'avc1.64001e', false],
    ['avc1', 'avc1.640033', true],
    ['avc1.zzzzzz', 'avc1.640028', false],
    ['avc1.640028', 'avc3.640028', false],
    ['hvc1.2.4.L120.B0', 'hvc1.1.6.L93.B0', true],
    ['hvc1.1.6.L120.B0', 'hvc1.2.4.L93.B0', false],
    ['hvc1.1.6.L120.B0', 'hvc1.1.6.H93.B0', false],
    ['hvc1.1.6.L120.B0', 'hev1.1.6.L93.B0', false],
    ['av01.0.08M.10', 'av01.0.05M.08', true],
    ['av01.0.08M.08', 'av01.0.05M.10', false],
    ['av01.0.08M.08', 'av01.1.05M.08', false],
    ['av01.0.08M.08', 'av01.0.05H.08', false],
    ['vp09.00.50.08', 'vp09.00.30.08', true],
    ['vp09.00.50.08', 'vp09.02.30.10', false],
    ['mp4a.40.2', 'mp4a.40.2', true],
    ['mp4a.40.2', 'mp4a.40.5', false],
    ['mp4a', 'mp4a.40.5', true],
    ['opus', 'mp4a.40.2', false],
  ] as const)
    t.equal(decodes(device, coded), isPlayed, `${device} ${coded}`);
  const codec = fc.stringMatching(/^(?:avc1|hvc1|av01|vp09|mp4a)(?:\.[0-9A-Za-z]{1,6}){0,4}$/);
  fc.assert(
    fc.property(codec, codec, (device, coded) => {
      t.ok(decodes(device, device));
      const [entry = ''] = coded.split('.');
      t.ok(decodes(entry, coded));
      if (decodes(device, coded)) t.equal(device.split('.')[0], entry);
    }),
  );
});

t.test('renditions of a bundle, or why there are none', async (t) => {
  const bundle = sampleBundle();
  t.same(playableOn(bundle, undefined), { ok: true, value: bundle });
  const silent = { ...bundle, audio: [] };
  t.match(playableOn(silent, { codecs: ['avc1'] }), { ok: true, value: { audio: [] } });
  t.match(
    playableOn(bundle, { codecs: ['avc1'] }),
    { ok: false, code: 'PLAYBACK_UNSUPPORTED' },
    'not without its sound',
  );
  const upright = {
    ...silent,
    video: silent.video.map((one) => ({ ...one, width: one.height, height: one.width })),
  };
  t.match(playableOn(upright, { heightMax: 720 }), { value: { video: [{ id: 'v720' }, { id: 'v360' }] } });
  t.match(playableOn(bundle, { codecs: [], heightMax: 720 }), {
    detail: /the device plays no codec up to 720 lines/,
  });
});

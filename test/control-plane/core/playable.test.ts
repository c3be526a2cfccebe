import fc from 'fast-check';
import t from 'tap';
import { decodes } from '../../../control-plane/core/codec-fit.ts';
import { playableOn } from '../../../control-plane/core/playable.ts';
import { rangeOf } from '../../../control-plane/core/video-range.ts';
import { hdrBundle, sampleBundle } from '../support/sample-bundle.ts';

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

t.test('HDR is for who asks for it, in what they decode and as high as they show', async (t) => {
  const ids = (result: ReturnType<typeof playableOn>): string[] =>
    result.ok ? result.value.video.map(({ id }) => id) : [result.code];
  const sdr = ['v1080', 'v720', 'v360'];
  t.same(ids(playableOn(hdrBundle(), undefined)), sdr);
  t.same(ids(playableOn(hdrBundle(), {})), sdr);
  t.same(ids(playableOn(hdrBundle(), { hdr: ['hlg'] })), sdr);
  t.same(ids(playableOn(hdrBundle('hlg'), { hdr: ['pq', 'hlg'] })), [...sdr, 'v1080-hlg', 'v720-hlg']);
  t.same(ids(playableOn(hdrBundle(), { hdr: ['pq'], codecs: ['avc1', 'mp4a'] })), sdr, 'in no other codec');
  t.same(ids(playableOn(hdrBundle(), { hdr: ['pq'], codecs: ['av01.0.05M.10', 'mp4a'] })), ['v720-pq']);
  t.match(playableOn(hdrBundle(), { codecs: ['av01', 'mp4a'] }), {
    code: 'PLAYBACK_UNSUPPORTED',
    detail: /av01\S+ \(1080 lines, pq\).*the device plays av01, mp4a in sdr/,
  });
  const device = fc.record(
    {
      codecs: fc.subarray(['avc1', 'avc1.64001f', 'av01', 'av01.0.05M.10', 'av01.0.08M.08', 'mp4a']),
      heightMax: fc.integer({ min: 1, max: 2160 }),
      hdr: fc.subarray(['pq', 'hlg'] as const),
      drm: fc.subarray(['com.widevine.alpha', 'com.apple.fps']),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.constantFrom(sampleBundle(), hdrBundle('pq'), hdrBundle('hlg')),
      device,
      (bundle, able) => {
        const played = playableOn(bundle, able);
        const { hdr, drm: _systems, ...rest } = able;
        t.same(playableOn(bundle, { ...rest, ...(hdr && { hdr }) }), played, 'key systems change nothing');
        const more = playableOn(bundle, { ...able, hdr: ['pq', 'hlg'] });
        if (!played.ok) return;
        const left = played.value.video;
        t.ok(left.every((video) => bundle.video.includes(video)));
        t.ok(
          left.every((video) => rangeOf(video) === 'sdr' || hdr?.some((range) => range === video.videoRange)),
        );
        t.ok(left.every(({ codecs }) => able.codecs?.some((one) => decodes(one, codecs)) ?? true));
        t.ok(
          more.ok && left.every((video) => more.value.video.includes(video)),
          'who shows more loses nothing',
        );
      },
    ),
  );
});

import t from 'tap';
import { captionStreamLimits } from '../../../encoder/core/captions.ts';
import { readSource, type PacketSpan, type Probe } from '../../../encoder/core/probe.ts';

const video = {
  ...{
    index: 0,
    codec_type: 'video',
    width: 1920,
    height: 1080,
    avg_frame_rate: '25/1',
    r_frame_rate: '25/1',
  },
};
const audio = { index: 1, codec_type: 'audio', channels: 2, tags: { language: 'eng' } };
const span = (endS: number): PacketSpan => ({
  ...{ packets: 100, startS: 0, endS, bytes: 5000, largestBytes: 90 },
});
const spans = new Map([0, 1, 2, 3].map((index) => [index, span(10)]));
const probe = (...streams: Probe['streams']): Probe => ({
  streams,
  format: { start_time: '0', duration: '10.0' },
});

t.test('the default streams that have packets', (t) => {
  const cover = { ...video, index: 2, disposition: { attached_pic: 1, default: 1 } };
  const second = { ...audio, index: 3, disposition: { default: 1 }, tags: { language: 'deu' } };
  t.match(readSource(probe(cover, video, audio, second), spans, 'mov'), {
    ok: true,
    value: {
      video: { index: 0, meanFrameRateHz: 25, endS: 10 },
      audio: [
        { index: 3, language: 'de' },
        { index: 1, language: 'en' },
      ],
    },
  });
  t.match(readSource(probe(video, audio), new Map([[0, span(10)]]), 'mov'), { value: { audio: [] } });
  t.match(readSource(probe(audio), spans, 'mov'), { code: 'SOURCE_NO_VIDEO' });
  t.match(readSource(probe(cover), spans, 'mov'), { code: 'SOURCE_NOT_VIDEO' });
  t.match(readSource(probe(), spans, 'mov'), { code: 'SOURCE_NOT_VIDEO' });
  t.end();
});

t.test('the cover is the first attached picture that is of a size', (t) => {
  const attached = { codec_type: 'video', disposition: { attached_pic: 1 } };
  const coverIn = (...streams: Probe['streams']): unknown => {
    const found = readSource(probe(video, ...streams), spans, 'mov');
    return found.ok ? found.value.cover : found.code;
  };
  t.equal(coverIn(), undefined);
  t.equal(coverIn({ ...attached, index: 2, width: 8, height: 8 }), undefined);
  t.equal(coverIn({ ...attached, index: 2, width: 100_000, height: 100_000 }), undefined);
  t.strictSame(
    coverIn(
      { ...attached, index: 1 },
      { ...attached, index: 2, width: 300, height: 450 },
      { ...attached, index: 3, width: 600, height: 900 },
    ),
    { index: 2, size: { width: 300, height: 450 } },
  );
  t.end();
});

t.test('the size as displayed', (t) => {
  const display = (stream: Partial<Probe['streams'][number]>): unknown => {
    const source = readSource(probe({ ...video, ...stream }), spans, 'mov');
    return source.ok ? source.value.video.display : source.code;
  };
  t.same(display({}), { width: 1920, height: 1080 });
  t.same(display({ width: 720, height: 576, sample_aspect_ratio: '16:11' }), { width: 1047, height: 576 });
  t.same(display({ width: 720, height: 480, sample_aspect_ratio: '8:9' }), { width: 720, height: 540 });
  t.same(display({ sample_aspect_ratio: '0:1' }), { width: 1920, height: 1080 });
  t.same(display({ side_data_list: [{}, { rotation: -90 }] }), { width: 1080, height: 1920 });
  t.same(display({ tags: { rotate: '270' } }), { width: 1080, height: 1920 });
  t.same(display({ side_data_list: [{ rotation: 180 }] }), { width: 1920, height: 1080 });
  t.equal(display({ width: 8, height: 8 }), 'SOURCE_REFUSED');
  t.equal(display({ width: 40_000, height: 40_000 }), 'SOURCE_REFUSED');
  t.end();
});

t.test('durations', (t) => {
  const short = new Map([[0, span(4)]]);
  t.match(readSource(probe(video), short, 'mov'), { code: 'SOURCE_TRUNCATED', detail: /10\.0 s.*4\.0 s/ });
  t.match(readSource(probe(video), short, 'mpegts'), { ok: true }, 'a transport stream states none');
  const long = new Map([[0, span(100_000)]]);
  t.match(readSource(probe(video), long, 'mov'), { code: 'SOURCE_REFUSED' });
  const late = { ...probe(video), format: { start_time: '6', duration: '4' } };
  t.match(readSource(late, spans, 'mov'), { value: { video: { endS: 4 } } });
  t.end();
});

t.test('sound: one of each language, the default first, and nothing that is beside the film', (t) => {
  const sound = (index: number, language: string, disposition: Record<string, number> = {}) => ({
    ...{ ...audio, index, disposition },
    tags: { language },
  });
  const many = Array.from({ length: 20 }, (_, at) => sound(at + 1, `q${String.fromCharCode(97 + at)}a`));
  const all = new Map(Array.from({ length: 30 }, (_, index) => [index, span(10)]));
  const heard = (...streams: Probe['streams']): string[] => {
    const read = readSource(probe(video, ...streams), all, 'mov');
    return read.ok ? read.value.audio.map(({ index, language }) => `${index} ${language}`) : [read.code];
  };
  t.strictSame(
    heard(
      sound(1, 'eng'),
      sound(2, 'ger'),
      sound(3, 'deu'),
      sound(4, 'fre', { comment: 1 }),
      sound(5, 'und'),
    ),
    ['1 en', '2 de'],
  );
  t.strictSame(heard(sound(1, 'ita', { visual_impaired: 1 })), ['1 it'], 'what there is alone is heard');
  t.strictSame(heard(sound(1, 'und'), sound(2, 'pt-BR', { default: 1 })), ['2 pt-BR']);
  t.equal(heard(...many).length, 8);
  t.end();
});

t.test('captions: the text streams, one of each language and kind', (t) => {
  const text = (index: number, codec_name: string, disposition: Record<string, number> = {}) => ({
    ...{ index, codec_type: 'subtitle', codec_name, disposition },
    tags: { language: 'eng' },
  });
  const all = new Map(Array.from({ length: 10 }, (_, index) => [index, span(10)]));
  const read = readSource(
    probe(
      ...[video, text(1, 'hdmv_pgs_subtitle'), text(2, 'subrip'), text(3, 'ass', { default: 1 })],
      ...[text(4, 'mov_text', { forced: 1 }), text(5, 'webvtt', { hearing_impaired: 1 }), text(11, 'subrip')],
    ),
    all,
    'matroska',
  );
  t.match(read, {
    value: {
      captions: [
        { streamIndex: 3, language: 'en', kind: 'subtitles' },
        { streamIndex: 4, kind: 'forced' },
        { streamIndex: 5, kind: 'captions' },
      ],
      notices: [
        'captions in stream 1 are pictures (hdmv_pgs_subtitle), not text',
        'captions in stream 2 are left out: there are others (en subtitles)',
      ],
    },
  });
  t.end();
});

t.test('captions: a stream that holds too much, in all or in one cue, is left to another', (t) => {
  const text = (index: number) => ({ index, codec_type: 'subtitle', codec_name: 'subrip' });
  const { sizeBytes, cueBytes } = captionStreamLimits;
  const found = (held: Partial<PacketSpan>) =>
    readSource(
      probe(video, text(1), text(2)),
      new Map([...spans, [1, { ...span(10), ...held }]]),
      'matroska',
    );
  for (const held of [{ bytes: sizeBytes + 1 }, { largestBytes: cueBytes + 1 }])
    t.match(found(held), {
      value: {
        captions: [{ streamIndex: 2 }],
        notices: ['captions in stream 1 are left out: they hold more than captions do (und subtitles)'],
      },
    });
  t.match(found({ bytes: sizeBytes, largestBytes: cueBytes }), { value: { captions: [{ streamIndex: 1 }] } });
  t.end();
});

t.test('language, interlacing, HDR', (t) => {
  const odd = { ...audio, tags: { language: 'x"; rm -rf' } };
  const pq = { ...video, field_order: 'tt', color_transfer: 'smpte2084' };
  t.match(readSource(probe(pq, odd), spans, 'mov'), {
    value: { audio: [{ language: 'und' }], video: { interlaced: true, hdr: 'smpte2084' } },
  });
  t.match(readSource(probe({ ...video, field_order: 'progressive' }), spans, 'mov'), {
    value: { video: { interlaced: false, hdr: undefined } },
  });
  t.end();
});

t.test('HDR is kept of what BT.2100 calls so', (t) => {
  const whole = { ...video, pix_fmt: 'yuv420p10le', color_primaries: 'bt2020', color_space: 'bt2020nc' };
  const kept = (changes: object) => {
    const read = readSource(probe({ ...whole, color_transfer: 'smpte2084', ...changes }), spans, 'mov');
    return read.ok ? read.value.video.keeps : read.code;
  };
  t.equal(kept({}), 'pq');
  t.equal(kept({ color_transfer: 'arib-std-b67' }), 'hlg');
  t.equal(kept({ pix_fmt: 'yuv422p12le' }), 'pq');
  t.equal(kept({ pix_fmt: 'p010le', color_space: undefined }), 'pq');
  t.equal(kept({ pix_fmt: 'yuv420p' }), undefined, 'eight bits');
  t.equal(kept({ pix_fmt: 'gbrp10le' }), undefined);
  t.equal(kept({ color_primaries: 'bt709' }), undefined);
  t.equal(kept({ color_primaries: undefined }), undefined);
  t.equal(kept({ color_space: 'bt2020c' }), undefined);
  t.equal(kept({ color_transfer: 'bt2020-10' }), undefined);
  t.end();
});

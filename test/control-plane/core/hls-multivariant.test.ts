import fc from 'fast-check';
import t from 'tap';
import { hlsMultivariant, hlsShape } from '../../../control-plane/core/hls-multivariant.ts';
import type { ManifestInput } from '../../../control-plane/core/playback-manifest.ts';
import { golden } from '../support/golden.ts';
import { readM3u8, type ReadTag } from '../support/read-m3u8.ts';
import { captionedBundle, hdrBundle, sampleBundle } from '../support/sample-bundle.ts';
import { valueOf } from '../../../common/runtime/errors.ts';
import { playableOn } from '../../../control-plane/core/playable.ts';

const input: ManifestInput = {
  name: 'Big Buck Bunny',
  bundle: sampleBundle(),
  pathways: [
    { id: 'isp-a-1', url: 'http://127.0.1.1:8080' },
    { id: 'isp-a-2', url: 'http://127.0.1.2:8080/' },
    { id: 'origin', url: 'http://127.0.0.1:7080/edge' },
  ],
  playToken: '2D3ShEOhASagWE',
  steeringUrl: 'http://127.0.0.1:7071/v1/steer/2D3ShEOhATagWF',
};

function named(tags: readonly ReadTag[], name: string): ReadTag[] {
  return tags.filter((tag) => tag.name === name);
}

t.test('the playlist of a session, to the byte', async (t) => {
  const text = hlsMultivariant(input);
  t.equal(text, await golden(new URL('golden/session.m3u8', import.meta.url), text));
  t.equal(hlsMultivariant(input), text, 'the same input gives the same bytes');
});

t.test('every pathway has the identical ladder under its own base', async (t) => {
  const tags = readM3u8(hlsMultivariant(input));
  const ladders = input.pathways.map(({ id }) => {
    const own = tags.filter(
      ({ attributes }) => attributes['PATHWAY-ID'] === id || attributes['GROUP-ID'] === `audio-${id}`,
    );
    return own
      .filter(({ name }) => name !== 'EXT-X-CONTENT-STEERING')
      .map(({ name, attributes, uri }) => {
        const { 'PATHWAY-ID': _pathway, 'GROUP-ID': _group, AUDIO: audio, URI: inner, ...same } = attributes;
        if (name === 'EXT-X-STREAM-INF')
          t.equal(audio, `audio-${id}`, 'a variant uses the group of its pathway');
        return { name, same, file: (uri ?? inner ?? '').split('/').pop() };
      });
  });
  t.equal(ladders[0]?.length, 1 + 3 + 3);
  for (const ladder of ladders) t.strictSame(ladder, ladders[0]);
  const bases = new Set(
    named(tags, 'EXT-X-STREAM-INF').map(({ uri }) => uri?.replace(/[0-9a-f]{64}\.m3u8$/, '')),
  );
  t.strictSame(
    [...bases],
    [
      'http://127.0.1.1:8080/v1/2D3ShEOhASagWE/',
      'http://127.0.1.2:8080/v1/2D3ShEOhASagWE/',
      'http://127.0.0.1:7080/edge/v1/2D3ShEOhASagWE/',
    ],
  );
});

t.test('content steering names a declared pathway, once', async (t) => {
  const tags = readM3u8(hlsMultivariant(input));
  const steering = named(tags, 'EXT-X-CONTENT-STEERING');
  t.strictSame(
    steering.map(({ attributes }) => attributes),
    [{ 'SERVER-URI': input.steeringUrl, 'PATHWAY-ID': 'isp-a-1' }],
  );
  t.equal(named(tags, 'EXT-X-INDEPENDENT-SEGMENTS').length, 1);
});

t.test('bandwidths, codecs and stable ids', async (t) => {
  const tags = readM3u8(hlsMultivariant(input));
  const [variant] = named(tags, 'EXT-X-STREAM-INF');
  t.match(variant?.attributes, {
    BANDWIDTH: String(5_250_000 + 136_000),
    'AVERAGE-BANDWIDTH': String(5_000_000 + 128_000),
    CODECS: 'avc1.640028,mp4a.40.2',
    RESOLUTION: '1920x1080',
    'FRAME-RATE': '24.000',
    'CLOSED-CAPTIONS': 'NONE',
    'STABLE-VARIANT-ID': 'v1080',
  });
  for (const { attributes } of tags) {
    for (const key of ['PATHWAY-ID', 'STABLE-VARIANT-ID', 'STABLE-RENDITION-ID']) {
      const id = attributes[key];
      if (id !== undefined) t.match(id, /^[A-Za-z0-9._-]+$/);
    }
  }
  for (const pathway of input.pathways) {
    const own = named(tags, 'EXT-X-STREAM-INF').filter((tag) => tag.attributes['PATHWAY-ID'] === pathway.id);
    t.equal(new Set(own.map(({ attributes }) => attributes['STABLE-VARIANT-ID'])).size, own.length);
  }
});

t.test('a film without sound has no audio group and no audio codec', async (t) => {
  const tags = readM3u8(hlsMultivariant({ ...input, bundle: { ...input.bundle, audio: [] } }));
  t.strictSame(named(tags, 'EXT-X-MEDIA'), []);
  for (const { attributes } of named(tags, 'EXT-X-STREAM-INF')) {
    t.notOk('AUDIO' in attributes);
    t.notMatch(attributes['CODECS'], 'mp4a');
  }
});

t.test('a shape that was made before gives the same bytes for whoever plays the same', async (t) => {
  const bundle = captionedBundle();
  const shape = hlsShape({ bundle });
  t.equal(hlsMultivariant({ ...input, bundle, shape }), hlsMultivariant({ ...input, bundle }));
  const other = {
    ...{ name: 'A $& film', playToken: 'another-token', steeringUrl: undefined, bundle },
    pathways: [{ id: 'isp-b-1', url: 'http://127.0.2.1:8080/$&/' }],
  };
  const text = hlsMultivariant({ ...other, shape });
  t.equal(text, hlsMultivariant(other));
  t.match(text, 'http://127.0.2.1:8080/$&/v1/another-token/');
  t.notMatch(text, input.playToken, 'nothing of a session is in a shape');
});

t.test('what a session starts with is the default of its group', async (t) => {
  const bundle = captionedBundle();
  const tags = readM3u8(hlsMultivariant({ ...input, bundle, captionsShown: 'c-sdh' }));
  const media = named(tags, 'EXT-X-MEDIA').filter(({ attributes }) => attributes['TYPE'] === 'SUBTITLES');
  for (const { attributes } of media)
    t.equal(attributes['DEFAULT'], attributes['STABLE-RENDITION-ID'] === 'c-sdh' ? 'YES' : 'NO');
});

t.test('names of captions differ within a group, also where two are of one language and kind', async (t) => {
  const bundle = captionedBundle();
  const [one, ...others] = bundle.captions ?? [];
  t.ok(one);
  const captions = [one!, { ...one!, id: 'c-other' }, ...others];
  const tags = readM3u8(hlsMultivariant({ ...input, bundle: { ...bundle, captions } }));
  for (const { id } of input.pathways) {
    const own = named(tags, 'EXT-X-MEDIA').filter(
      ({ attributes }) => attributes['GROUP-ID'] === `captions-${id}`,
    );
    t.strictSame(
      own.map(({ attributes }) => attributes['NAME']),
      [`German (${one!.id})`, 'German (c-other)', 'English (SDH)', 'English (forced)'],
    );
  }
});

t.test('captions are a group of each pathway, off where the session starts with none', async (t) => {
  const bundle = captionedBundle();
  const tags = readM3u8(hlsMultivariant({ ...input, bundle }));
  const media = named(tags, 'EXT-X-MEDIA').filter(({ attributes }) => attributes['TYPE'] === 'SUBTITLES');
  t.equal(media.length, 3 * input.pathways.length);
  t.strictSame(
    media
      .slice(0, 3)
      .map(({ attributes: { NAME, LANGUAGE, DEFAULT, FORCED, CHARACTERISTICS } }) => [
        ...[NAME, LANGUAGE, DEFAULT, FORCED],
        CHARACTERISTICS !== undefined,
      ]),
    [
      ['German', 'de', 'NO', undefined, false],
      ['English (SDH)', 'en', 'NO', undefined, true],
      ['English (forced)', 'en', 'NO', 'YES', false],
    ],
  );
  for (const { attributes } of named(tags, 'EXT-X-STREAM-INF'))
    t.equal(attributes['SUBTITLES'], `captions-${attributes['PATHWAY-ID'] ?? ''}`);
  for (const { attributes } of named(readM3u8(hlsMultivariant(input)), 'EXT-X-STREAM-INF'))
    t.notOk('SUBTITLES' in attributes, 'there are none');
});

t.test('renditions of one language have names of their own', async (t) => {
  const [audio] = input.bundle.audio;
  if (audio === undefined) throw new Error('no audio');
  const bundle = {
    ...input.bundle,
    audio: [audio, { ...audio, id: 'a-en-51', channels: 6 }, { ...audio, id: 'a-de', language: 'de' }],
  };
  const media = named(readM3u8(hlsMultivariant({ ...input, bundle })), 'EXT-X-MEDIA').slice(0, 3);
  t.strictSame(
    media.map(({ attributes }) => [attributes['NAME'], attributes['DEFAULT']]),
    [
      ['English (a-en)', 'YES'],
      ['English (a-en-51)', 'NO'],
      ['German', 'NO'],
    ],
  );
});

t.test('no name of a title breaks the playlist', async () => {
  const check = (name: string): void => {
    const [title] = named(readM3u8(hlsMultivariant({ ...input, name })), 'EXT-X-SESSION-DATA');
    if (title?.attributes['VALUE'] === undefined) throw new Error('no title');
  };
  for (const name of ['"', 'a","b=1', 'x\r\n#EXT-X-ENDLIST\nhttp://evil/', '\u2028\u0085\u0000\ud800', '&<>'])
    check(name);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), check));
});

t.test('ranges are told where there is HDR, and only there', async (t) => {
  const bundle = valueOf(playableOn(hdrBundle('hlg'), { hdr: ['hlg'] }), 'film');
  const tags = readM3u8(hlsMultivariant({ ...input, bundle }));
  const told = (name: string) =>
    named(tags, name)
      .filter(({ attributes }) => attributes['PATHWAY-ID'] === 'isp-a-1')
      .map(({ attributes }) => [
        attributes['STABLE-VARIANT-ID'],
        attributes['VIDEO-RANGE'],
        attributes['CODECS'],
      ]);
  t.strictSame(told('EXT-X-STREAM-INF'), [
    ['v1080', 'SDR', 'avc1.640028,mp4a.40.2'],
    ['v720', 'SDR', 'avc1.64001f,mp4a.40.2'],
    ['v360', 'SDR', 'avc1.64001e,mp4a.40.2'],
    ['v1080-hlg', 'HLG', 'av01.0.08M.10.0.111.09.18.09.0,mp4a.40.2'],
    ['v720-hlg', 'HLG', 'av01.0.05M.10.0.111.09.18.09.0,mp4a.40.2'],
  ]);
  t.strictSame(told('EXT-X-I-FRAME-STREAM-INF').at(-1), [
    'v720-hlg-iframes',
    'HLG',
    'av01.0.05M.10.0.111.09.18.09.0',
  ]);
  const plain = valueOf(playableOn(hdrBundle(), undefined), 'film');
  t.equal(
    hlsMultivariant({ ...input, bundle: plain }),
    hlsMultivariant(input),
    'without it, to the byte as before',
  );
});

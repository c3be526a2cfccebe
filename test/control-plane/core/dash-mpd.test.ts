import fc from 'fast-check';
import t from 'tap';
import { dashMpd } from '../../../control-plane/core/dash-mpd.ts';
import { durationTicks, type ManifestInput } from '../../../control-plane/core/playback-manifest.ts';
import { golden } from '../support/golden.ts';
import { childrenOf, findAll, readXml, type ReadElement } from '../support/read-xml.ts';
import { captionedBundle, fileNamed, hdrBundle, sampleBundle } from '../support/sample-bundle.ts';
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

function representation(mpd: ReadElement, id: string): ReadElement {
  const found = findAll(mpd, 'Representation').find(({ attributes }) => attributes['id'] === id);
  if (found === undefined) throw new Error(`no representation ${id}`);
  return found;
}

t.test('the MPD of a session, to the byte', async (t) => {
  const text = dashMpd(input);
  t.equal(text, await golden(new URL('golden/session.mpd', import.meta.url), text));
  t.equal(dashMpd(input), text, 'the same input gives the same bytes');
});

t.test('each pathway is a BaseURL that steering can name', async (t) => {
  const mpd = readXml(dashMpd(input));
  t.strictSame(
    childrenOf(mpd, 'BaseURL').map(({ attributes, text }) => [attributes['serviceLocation'], text]),
    [
      ['isp-a-1', 'http://127.0.1.1:8080/v1/2D3ShEOhASagWE/'],
      ['isp-a-2', 'http://127.0.1.2:8080/v1/2D3ShEOhASagWE/'],
      ['origin', 'http://127.0.0.1:7080/edge/v1/2D3ShEOhASagWE/'],
    ],
  );
  const [steering] = childrenOf(mpd, 'ContentSteering');
  t.strictSame(steering?.attributes, {
    defaultServiceLocation: 'isp-a-1 isp-a-2 origin',
    queryBeforeStart: 'false',
  });
  t.equal(steering?.text, input.steeringUrl);
  t.strictSame(findAll(mpd, 'SegmentBase'), [], 'players freeze the BaseURL of a SegmentBase');
  t.match(mpd.attributes, {
    type: 'static',
    mediaPresentationDuration: 'PT10.500S',
    minBufferTime: 'PT4.011S',
  });
});

t.test('media ranges are those of the bundle, both ends included', async (t) => {
  const mpd = readXml(dashMpd(input));
  for (const [media, ext] of [
    ...input.bundle.video.map((video) => [video, 'mp4'] as const),
    ...input.bundle.audio.map((audio) => [audio, 'm4a'] as const),
  ]) {
    const shown = representation(mpd, media.id);
    t.equal(childrenOf(shown, 'BaseURL')[0]?.text, `${media.file}.${ext}`);
    const [list] = childrenOf(shown, 'SegmentList');
    if (list === undefined) throw new Error('no SegmentList');
    t.equal(list.attributes['timescale'], String(media.timescale));
    t.equal(childrenOf(list, 'Initialization')[0]?.attributes['range'], `0-${media.initLengthBytes - 1}`);
    const ranges = childrenOf(list, 'SegmentURL').map(({ attributes }) =>
      (attributes['mediaRange'] ?? '').split('-').map(Number),
    );
    t.strictSame(
      ranges.map(([first = 0, last = 0]) => [first, last - first + 1]),
      media.segments.map(([offset, length]) => [offset, length]),
    );
    const times = findAll(list, 'S');
    t.strictSame(
      times.map(({ attributes }) => Number(attributes['d'])),
      media.segments.map(([, , ticks]) => ticks),
    );
    t.ok(
      times.every(({ attributes }) => !('r' in attributes)),
      'dash.js counts S elements, not repeats',
    );
    t.equal(
      times.reduce((sum, { attributes }) => sum + Number(attributes['d']), 0),
      durationTicks(media.segments),
    );
  }
});

t.test('adaptation sets: one a codec family and language, aligned, with ids that differ', async (t) => {
  const [v1] = input.bundle.video;
  const [a1] = input.bundle.audio;
  if (v1 === undefined || a1 === undefined) throw new Error('no renditions');
  const bundle = {
    ...input.bundle,
    video: [...input.bundle.video, { ...v1, id: 'h1080', codecs: 'hvc1.1.6.L120.90' }],
    audio: [a1, { ...a1, id: 'a-de', language: 'de' }, { ...a1, id: 'a-en-71', channels: 8 }],
  };
  const sets = findAll(readXml(dashMpd({ ...input, bundle })), 'AdaptationSet');
  t.strictSame(
    sets.map(({ attributes, children }) => [
      attributes['contentType'],
      attributes['lang'],
      children.filter(({ name }) => name === 'Representation').map((child) => child.attributes['id']),
    ]),
    [
      ['video', undefined, ['v1080', 'v720', 'v360']],
      ['video', undefined, ['h1080']],
      ['audio', 'en', ['a-en']],
      ['audio', 'de', ['a-de']],
      ['audio', 'en', ['a-en-71']],
      ['image', undefined, ['thumbnails']],
    ],
  );
  t.strictSame(
    sets.map((set) => findAll(set, 'Role')[0]?.attributes['value']),
    [undefined, undefined, 'main', 'alternate', 'main', undefined],
    'players start with the first language',
  );
  t.equal(new Set(sets.map(({ attributes }) => attributes['id'])).size, sets.length);
  t.ok(sets.every(({ attributes }) => attributes['segmentAlignment'] === 'true'));
  const configurations = sets.flatMap((set) => findAll(set, 'AudioChannelConfiguration'));
  t.strictSame(
    configurations.map(({ attributes }) => attributes['value']),
    ['2', '2', '12'],
  );
});

t.test('frame rates are fractions', async (t) => {
  const [video] = input.bundle.video;
  if (video === undefined) throw new Error('no video');
  const shown = (frameRate: number): string | undefined => {
    const bundle = { ...input.bundle, video: [{ ...video, frameRate }] };
    return representation(readXml(dashMpd({ ...input, bundle })), video.id).attributes['frameRate'];
  };
  t.equal(shown(24), '24');
  t.equal(shown(23.976), '24000/1001');
  t.equal(shown(30000 / 1001), '30000/1001');
  t.equal(shown(12.5), '12500/1000');
  t.equal(shown(0), undefined, 'unknown');
});

t.test('thumbnails are tiles of equal length, each sprite a file', async (t) => {
  const thumbnails = representation(readXml(dashMpd(input)), 'thumbnails');
  t.strictSame(childrenOf(thumbnails, 'EssentialProperty')[0]?.attributes, {
    schemeIdUri: 'http://dashif.org/guidelines/thumbnail_tile',
    value: '2x2',
  });
  t.match(thumbnails.attributes, { width: '320', height: '180' });
  t.strictSame(
    findAll(thumbnails, 'SegmentURL').map(({ attributes }) => attributes['media']),
    input.bundle.thumbnails.sprites.map((sprite) => `${sprite}.jpg`),
  );
  t.strictSame(
    findAll(thumbnails, 'S').map(({ attributes }) => attributes['d']),
    ['8000', '8000'],
  );
});

t.test('no name of a title breaks the document', async (t) => {
  const titleOf = (name: string): string | undefined =>
    findAll(readXml(dashMpd({ ...input, name })), 'Title')[0]?.text;
  const nasty = `<a href="x">'Tom' & "Jerry"</a> ]]> <!-- &amp;`;
  t.equal(titleOf(nasty), nasty);
  t.equal(titleOf('bell\u0007 and half a \ud800 pair'), 'bell\ufffd and half a \ufffd pair');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      titleOf(name);
    }),
  );
});

t.test('captions: a set of each, its one file without segments', async (t) => {
  const bundle = captionedBundle();
  const sets = findAll(readXml(dashMpd({ ...input, bundle })), 'AdaptationSet').filter(
    ({ attributes }) => attributes['contentType'] === 'text',
  );
  t.strictSame(
    sets.map((set) => [
      ...[set.attributes['mimeType'], set.attributes['lang'], findAll(set, 'Role')[0]?.attributes['value']],
      ...[findAll(set, 'Label')[0]?.text, findAll(set, 'BaseURL')[0]?.text],
    ]),
    [
      ['text/vtt', 'de', 'subtitle', 'German', `${fileNamed('c-de')}.vtt`],
      ['text/vtt', 'en', 'caption', 'English (SDH)', `${fileNamed('c-sdh')}.vtt`],
      ['text/vtt', 'en', 'forced-subtitle', 'English (forced)', `${fileNamed('c-forced')}.vtt`],
    ],
  );
});

t.test('the captions that a session starts with are main too', async (t) => {
  const shown = { ...input, bundle: captionedBundle(), captionsShown: 'c-sdh' };
  const roles = findAll(readXml(dashMpd(shown)), 'AdaptationSet')
    .filter(({ attributes }) => attributes['contentType'] === 'text')
    .map((set) => findAll(set, 'Role').map(({ attributes }) => attributes['value']));
  t.strictSame(roles, [['subtitle'], ['caption', 'main'], ['forced-subtitle']]);
});

t.test('HDR is a set of its own, which says its colours as ITU-T H.273 counts them', async (t) => {
  const bundle = valueOf(playableOn(hdrBundle(), { hdr: ['pq'] }), 'film');
  const mpd = readXml(dashMpd({ ...input, bundle }));
  const sets = findAll(mpd, 'AdaptationSet').filter(
    ({ attributes }) => attributes['contentType'] === 'video',
  );
  const colours = (set: ReadElement | undefined, name: string) =>
    set &&
    childrenOf(set, name).map(({ attributes }) => [
      (attributes['schemeIdUri'] ?? '').replace('urn:mpeg:mpegB:cicp:', ''),
      attributes['value'],
    ]);
  const ids = sets.map((set) => childrenOf(set, 'Representation').map(({ attributes }) => attributes['id']));
  t.strictSame(ids, [
    ['v1080', 'v720', 'v360'],
    ['v1080-pq', 'v720-pq'],
  ]);
  const told = [
    ['ColourPrimaries', '9'],
    ['TransferCharacteristics', '16'],
    ['MatrixCoefficients', '9'],
  ];
  t.strictSame(colours(sets[1], 'EssentialProperty'), told, 'who does not understand it leaves it');
  t.strictSame(colours(sets[0], 'EssentialProperty'), []);
  t.strictSame(
    colours(sets[0], 'SupplementalProperty')?.map(([, value]) => value),
    ['1', '1', '1'],
  );
  t.strictSame(
    sets.map(({ attributes }) => attributes['selectionPriority']),
    [undefined, '2'],
  );
  const plain = valueOf(playableOn(hdrBundle(), undefined), 'film');
  t.equal(dashMpd({ ...input, bundle: plain }), dashMpd(input), 'without it, to the byte as before');
});

import t from 'tap';
import type { PlaybackSession } from '../../../../common/contract/playback.ts';
import { call } from '../../support/call.ts';
import { asRole } from '../../support/fake-credentials.ts';
import { openLab, titleId, type LabOptions } from '../../support/playback-lab.ts';
import { readM3u8 } from '../../support/read-m3u8.ts';
import { childrenOf, readXml } from '../../support/read-xml.ts';

t.test('the sound that the viewer understands comes first, in both kinds of manifest', async (t) => {
  const begin = async (options: LabOptions, accept: string | undefined, json: object = { titleId }) => {
    const lab = await openLab(t, { sounds: ['en', 'de', 'fr'], ...options });
    const headers = { ...asRole('viewer'), ...(accept !== undefined && { 'accept-language': accept }) };
    const { body } = await call(`${lab.url}/v1/playback-sessions`, { headers, json });
    const { audioLanguages, hlsUrl, dashUrl } = body as PlaybackSession;
    const media = readM3u8((await call(hlsUrl)).text).filter(({ name }) => name === 'EXT-X-MEDIA');
    const [first] = media.filter(({ attributes }) => attributes['DEFAULT'] === 'YES');
    const periods = childrenOf(readXml((await call(dashUrl)).text), 'Period');
    const sets = periods.flatMap((period) => childrenOf(period, 'AdaptationSet'));
    const main = sets.find((set) => childrenOf(set, 'Role')[0]?.attributes['value'] === 'main');
    return [audioLanguages?.join(' '), first?.attributes['LANGUAGE'], main?.attributes['lang']];
  };
  t.strictSame(await begin({}, undefined), ['en de fr', 'en', 'en']);
  t.strictSame(await begin({}, 'fr;q=0.5, de-AT'), ['de en fr', 'de', 'de']);
  t.strictSame(await begin({}, 'it'), ['en de fr', 'en', 'en'], 'the film has its own first');
  const asProfile = { titleId, profileId: 'prf_abcdefgh' };
  t.strictSame(
    await begin({ language: 'fr' }, 'de', asProfile),
    ['fr en de', 'fr', 'fr'],
    'the profile says',
  );
  t.strictSame(await begin({ language: 'it' }, 'de', asProfile), ['de en fr', 'de', 'de']);
  t.strictSame(await begin({ sounds: ['en'] }, 'de'), ['en', 'en', undefined], 'there is nothing to choose');
});

t.test('captions are told in the order of what the viewer reads, which the manifests have too', async (t) => {
  const begin = async (options: LabOptions, accept: string, json: object = { titleId }) => {
    const lab = await openLab(t, { captions: ['en', 'de'], ...options });
    const headers = { ...asRole('viewer'), 'accept-language': accept };
    const { body } = await call(`${lab.url}/v1/playback-sessions`, { headers, json });
    const { captionLanguages, hlsUrl, dashUrl } = body as PlaybackSession;
    const media = readM3u8((await call(hlsUrl)).text).filter(
      ({ attributes }) => attributes['TYPE'] === 'SUBTITLES',
    );
    const periods = childrenOf(readXml((await call(dashUrl)).text), 'Period');
    const sets = periods.flatMap((period) => childrenOf(period, 'AdaptationSet'));
    const [text] = sets.filter(({ attributes }) => attributes['contentType'] === 'text');
    return [captionLanguages?.join(' '), media[0]?.attributes['LANGUAGE'], text?.attributes['lang']];
  };
  t.strictSame(await begin({}, 'it'), ['en de', 'en', 'en']);
  t.strictSame(await begin({}, 'de-AT'), ['de en', 'de', 'de']);
  const asProfile = { titleId, profileId: 'prf_abcdefgh' };
  t.strictSame(await begin({ language: 'de' }, 'en', asProfile), ['de en', 'de', 'de']);
  t.strictSame(await begin({ captions: [] }, 'en'), ['', undefined, undefined]);
});

t.test('captions are on where a film does not sound in the language of its viewer', async (t) => {
  const begin = async (options: LabOptions, accept = '', json: object = { titleId }) => {
    const lab = await openLab(t, { sounds: ['en'], captions: ['en', 'de'], ...options });
    const headers = { ...asRole('viewer'), 'accept-language': accept };
    const { body } = await call(`${lab.url}/v1/playback-sessions`, { headers, json });
    const { captions, captionsShown, hlsUrl, dashUrl } = body as PlaybackSession;
    const media = readM3u8((await call(hlsUrl)).text).filter(
      ({ attributes }) => attributes['TYPE'] === 'SUBTITLES' && attributes['DEFAULT'] === 'YES',
    );
    const periods = childrenOf(readXml((await call(dashUrl)).text), 'Period');
    const sets = periods.flatMap((period) => childrenOf(period, 'AdaptationSet'));
    const main = sets.filter(
      (set) =>
        set.attributes['contentType'] === 'text' &&
        childrenOf(set, 'Role').some(({ attributes }) => attributes['value'] === 'main'),
    );
    const shown = captions?.find(({ id }) => id === captionsShown);
    const said = shown === undefined ? 'none' : `${shown.language} ${shown.kind}`;
    const told = new Set(media.map(({ attributes }) => attributes['STABLE-RENDITION-ID']));
    t.strictSame([...told], captionsShown === undefined ? [] : [captionsShown], 'HLS says the same');
    t.strictSame(
      main.map((set) => childrenOf(set, 'Representation')[0]?.attributes['id']),
      captionsShown === undefined ? [] : [captionsShown],
      'DASH says the same',
    );
    return said;
  };
  const asProfile = { titleId, profileId: 'prf_abcdefgh' };
  t.equal(await begin({}, 'de'), 'de subtitles');
  t.equal(await begin({}, 'en-GB, de'), 'none', 'it sounds in what is understood best');
  t.equal(await begin({ language: 'de' }, 'en', asProfile), 'de subtitles');
  t.equal(await begin({ language: 'de', captionWish: 'off' }, 'en', asProfile), 'none');
  const wish = { language: 'en', kind: 'captions' } as const;
  t.equal(await begin({ language: 'en', captionWish: wish }, '', asProfile), 'en subtitles');
  t.equal(await begin({ sounds: ['en', 'de'] }, 'de'), 'none', 'it is heard in German');
});

import t from 'tap';

import { choiceOf, trackIn, wishOf } from '../../clients/viewer/track-choice.ts';
import type { PlaybackSession } from '../../common/contract/playback.ts';

// Of a session only what menus are made of.
const session = {
  audio: [
    { id: 'a1', language: 'ja' },
    { id: 'a2', language: 'en' },
    { id: 'a3', language: 'und' },
  ],
  captions: [
    { id: 'c1', language: 'en', kind: 'subtitles' },
    { id: 'c2', language: 'de', kind: 'captions' },
    { id: 'c3', language: 'ja', kind: 'forced' },
  ],
  captionsShown: 'c1',
} as unknown as PlaybackSession;

t.test('a profile keeps what was chosen, and nothing of what a film started with by itself', (t) => {
  const before = choiceOf(session);
  t.strictSame(before, { audio: 'a1', captions: 'c1' });
  const wish = (next: Partial<typeof before>) => wishOf(session, { before, next: { ...before, ...next } });
  t.strictSame(
    wish({ audio: 'a2' }),
    { audioLanguage: 'en' },
    'captions that were on are not wanted for good',
  );
  t.strictSame(wish({ captions: undefined }), { captions: 'off' }, 'nor is the sound, which nobody chose');
  t.strictSame(wish({ captions: 'c2' }), { captions: { language: 'de', kind: 'captions' } });
  t.strictSame(wish({ captions: 'c3' }), { captions: 'off' }, 'forced ones come by themselves');
  t.equal(wish({ audio: 'a3' }), undefined, 'a sound of unknown language is no wish');
  t.equal(wish({}), undefined);
  const off = { audio: 'a1', captions: undefined };
  t.strictSame(
    wishOf(session, { before: off, next: { ...off, audio: 'a2' } }),
    { audioLanguage: 'en' },
    'who changes the sound alone has not turned captions off',
  );
  t.end();
});

t.test('a sound is found by the language that the manifest tells, however the player writes it', (t) => {
  const tracks = [
    { id: 1, language: 'zh-HANS', originalLanguage: 'zh-Hans' },
    { id: 2, language: 'zh-HANT', originalLanguage: 'zh-Hant' },
    { id: 3, language: 'fr', originalLanguage: null },
  ];
  t.equal(trackIn(tracks, 'zh-Hant')?.id, 2);
  t.equal(trackIn(tracks, 'fr')?.id, 3);
  t.equal(trackIn(tracks, undefined), undefined);
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import type { CaptionKind } from '../../../common/contract/bundle.ts';
import type { CaptionWish } from '../../../common/contract/profiles.ts';
import { chooseLanguages, languageFirst } from '../../../control-plane/core/language-first.ts';
import { fileNamed, sampleBundle } from '../support/sample-bundle.ts';

/** A film that sounds in these languages, with captions as `de`, `en:captions`, `en:forced`. */
function film(sounds: readonly string[], captions: readonly string[]) {
  const bundle = sampleBundle();
  const [sound] = bundle.audio;
  if (sound === undefined) throw new Error('the sample has no sound');
  return {
    ...bundle,
    audio: sounds.map((language) => ({ ...sound, id: `audio-${language}`, language })),
    captions: captions.map((said) => {
      const [language = '', typed = 'subtitles'] = said.split(':');
      const kind = typed as CaptionKind;
      return { id: said.replace(':', '-'), language, kind, file: fileNamed(said), playlist: fileNamed(said) };
    }),
  };
}

function shown(
  of: readonly [sounds: readonly string[], captions: readonly string[]],
  languages: readonly string[],
  wishes: { audioLanguage?: string; captions?: CaptionWish } = {},
): [string | undefined, string | undefined] {
  const { audioLanguage, captionsShown } = chooseLanguages(film(...of), { languages, ...wishes });
  return [audioLanguage, captionsShown];
}

t.test('captions are on in the first language that is understood better than the sound', async (t) => {
  t.strictSame(shown([['en'], ['en', 'de']], ['de']), [undefined, 'de']);
  t.strictSame(shown([['en'], ['en', 'de']], ['de', 'en']), ['en', 'de']);
  t.strictSame(shown([['en'], ['en', 'de']], ['en', 'de']), ['en', undefined]);
  t.strictSame(
    shown([['en-US'], ['en']], ['en-GB']),
    ['en-US', undefined],
    'spoken elsewhere, and understood',
  );
  t.strictSame(shown([['ja'], ['en-US']], ['en-GB']), [undefined, 'en-US']);
  t.strictSame(shown([['ja'], ['en']], ['de']), [undefined, undefined], 'nothing that is understood better');
  t.strictSame(shown([['und'], ['en']], ['en']), [undefined, undefined], 'nobody knows what it sounds in');
  t.strictSame(shown([['fr'], ['de:captions', 'de']], ['de']), [undefined, 'de'], 'without the sounds first');
  t.strictSame(shown([['fr'], ['de:captions']], ['de']), [undefined, 'de-captions']);
  t.strictSame(shown([['fr'], ['fr']], []), [undefined, undefined], 'nobody has said what they understand');
});

t.test('forced captions come with the sound of their language', async (t) => {
  t.strictSame(shown([['en'], ['en:forced', 'de:forced']], ['en']), ['en', 'en-forced']);
  t.strictSame(
    shown(
      [
        ['en', 'de'],
        ['en:forced', 'de:forced'],
      ],
      ['de'],
    ),
    ['de', 'de-forced'],
  );
  t.strictSame(shown([['en'], ['en:forced']], []), [undefined, 'en-forced']);
  t.strictSame(shown([['en'], ['en:forced', 'de']], ['de']), [undefined, 'de'], 'whole ones say more');
  t.strictSame(shown([['en'], ['de:forced']], ['de']), [undefined, undefined]);
  t.strictSame(shown([['en'], ['en:forced']], ['en'], { captions: 'off' }), ['en', 'en-forced']);
});

t.test('what was chosen stands before that', async (t) => {
  const both = [
    ['en', 'de'],
    ['en', 'en:captions', 'de'],
  ] as const;
  t.strictSame(
    shown(both, ['de'], { audioLanguage: 'en' }),
    ['en', 'de'],
    'heard in English, read in German',
  );
  t.strictSame(shown(both, ['de'], { audioLanguage: 'en', captions: 'off' }), ['en', undefined]);
  t.strictSame(shown(both, ['en'], { captions: { language: 'en', kind: 'captions' } }), [
    'en',
    'en-captions',
  ]);
  t.strictSame(shown(both, ['en'], { captions: { language: 'de', kind: 'captions' } }), ['en', 'de']);
  t.strictSame(shown([['en'], ['en']], ['en'], { captions: { language: 'fr', kind: 'subtitles' } }), [
    'en',
    undefined,
  ]);
});

t.test('whatever is asked for: what is shown is there, comes first, and nothing is lost', async () => {
  const language = fc.constantFrom('en', 'en-GB', 'de', 'fr', 'und');
  const captions = fc
    .tuple(language, fc.constantFrom('', ':captions', ':forced'))
    .map((parts) => parts.join(''));
  const wish = fc.option(
    fc.oneof(
      fc.constant('off' as const),
      fc.record({ language, kind: fc.constantFrom('subtitles' as const, 'captions' as const) }),
    ),
    { nil: undefined },
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(language),
      fc.uniqueArray(captions),
      fc.record({
        languages: fc.array(language),
        captions: wish,
        audioLanguage: fc.option(language, { nil: undefined }),
      }),
      (sounds, texts, wishes) => {
        const bundle = film(sounds, texts);
        const chosen = chooseLanguages(bundle, wishes);
        const first = languageFirst(bundle, chosen);
        if (chosen.captionsShown !== undefined && first.captions?.[0]?.id !== chosen.captionsShown)
          throw new Error(`${chosen.captionsShown} is not the first`);
        const ids = (tracks: readonly { id: string }[] = []) =>
          tracks
            .map(({ id }) => id)
            .sort()
            .join(' ');
        if (ids(first.captions) !== ids(bundle.captions) || ids(first.audio) !== ids(bundle.audio))
          throw new Error('something is lost');
      },
    ),
  );
});

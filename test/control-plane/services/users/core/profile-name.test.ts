import fc from 'fast-check';
import t from 'tap';

import { languageOf } from '../../../../../common/core/language.ts';
import { timeZoneOf } from '../../../../../control-plane/services/users/core/locale.ts';
import { nameKey, profileName } from '../../../../../control-plane/services/users/core/profile-name.ts';

t.test('names in every script are taken as they are', async (t) => {
  for (const name of [
    'Ada',
    'Жанна',
    'Ελένη',
    'محمد',
    'می‌خواهم',
    'שרה',
    '千尋',
    '김민준',
    'प्रियंका',
    'ประยุทธ์',
    'Nguyễn Thị Hồng',
    'Zoë 🦄',
    '👨‍👩‍👧‍👦',
    '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
    "O'Brien-Smith, Jr.",
    '7',
  ])
    t.strictSame(profileName(name), { ok: true, value: name.normalize('NFC') }, name);
  t.match(profileName('  two \t words  '), { value: 'two words' });
});

t.test('what cannot be seen, turns the line or stacks is refused', async (t) => {
  for (const name of [
    '',
    '   ',
    '\u200b',
    '\u200d\u200c',
    '\u2066Ada\u2069',
    'Ada\u202e',
    'a\0b',
    'a\u0085b',
    '\ud800',
    '\ue000',
    '\u{e0001}Ada',
    '\u0301',
    `Z${'\u0301\u0316'.repeat(20)}`,
    'x'.repeat(41),
    '👨‍👩‍👧‍👦'.repeat(41),
  ])
    t.match(profileName(name), { ok: false, code: 'INVALID' }, JSON.stringify(name));
});

t.test(
  'whatever is typed, a name that is taken is well formed, stays as it is and is not long',
  async (t) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (typed) => {
        const result = profileName(typed);
        if (!result.ok) return;
        t.strictSame(profileName(result.value), result);
        t.ok(result.value.isWellFormed() && result.value.length <= 1000);
      }),
    );
  },
);

t.test('names that look alike are one', async (t) => {
  t.equal(nameKey('ADA'), nameKey('ada'));
  t.equal(nameKey('Ａｄａ'), nameKey('ada'));
  t.equal(nameKey('Zoe\u0308'), nameKey('Zoë'));
  t.not(nameKey('Ada'), nameKey('Ida'));
});

t.test('languages and time zones are those that there are', async (t) => {
  t.match(languageOf('EN-gb'), { value: 'en-GB' });
  t.match(languageOf('zh-hant-tw'), { value: 'zh-Hant-TW' });
  for (const tag of ['e', 'english language', 'en-', '-en', 'en--GB', 'x'])
    t.match(languageOf(tag), { ok: false, code: 'INVALID' }, tag);
  t.match(timeZoneOf('Europe/Berlin'), { value: 'Europe/Berlin' });
  for (const zone of ['Europe/Atlantis', 'Mars', 'GMT+99'])
    t.match(timeZoneOf(zone), { ok: false, code: 'INVALID' }, zone);
});

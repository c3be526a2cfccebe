import t from 'tap';
import { acceptedLanguages, nearestLanguage, pickLanguage } from '../../../common/core/language.ts';

t.test('languages that a device asks for, best first', async (t) => {
  t.strictSame(acceptedLanguages('de-AT, en;q=0.5, fr;q=0.8, *;q=0.1'), ['de-AT', 'fr', 'en']);
  t.strictSame(acceptedLanguages('en;q=0, de;q=x, \u202ede'), []);
  t.strictSame(acceptedLanguages(undefined), []);
  t.equal(acceptedLanguages('de,'.repeat(5000)).length, 10, 'of a long header only the beginning is read');
});

t.test('the first language that there is, by what it begins with', async (t) => {
  t.equal(pickLanguage(['de-AT', 'en'], ['en', 'de']), 'de');
  t.equal(pickLanguage(['zh-hant-tw'], ['zh', 'zh-Hant']), 'zh-Hant');
  t.equal(pickLanguage(['de-x-lower'], ['de']), 'de');
  t.equal(pickLanguage(['de'], ['de-AT']), undefined);
  t.equal(pickLanguage([], ['de']), undefined);
});

t.test('the nearest language is also one that is spoken elsewhere', async (t) => {
  t.equal(nearestLanguage(['en-GB'], ['fr', 'en-US']), 'en-US');
  t.equal(nearestLanguage(['pt-BR'], ['pt-PT', 'pt']), 'pt', 'the plain one is nearer');
  t.equal(nearestLanguage(['en-GB', 'fr'], ['fr', 'en-US']), 'en-US');
  t.equal(nearestLanguage(['de'], ['fr']), undefined);
});

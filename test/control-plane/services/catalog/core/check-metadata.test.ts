import fc from 'fast-check';
import t from 'tap';
import { TitleMetadata } from '../../../../../common/contract/title-metadata.ts';
import { matches } from '../../../../../common/runtime/parse.ts';
import {
  checkMetadata,
  titleName,
} from '../../../../../control-plane/services/catalog/core/check-metadata.ts';

t.test('hostile texts are refused by name, markup and any script are text', async (t) => {
  const refusal = (metadata: object) => checkMetadata({ name: 'Solaris', ...metadata });
  for (const [what, metadata] of [
    ['a direction override', { name: 'exe\u202egpj' }],
    ['a width of zero', { name: 'Sola\u200bris' }],
    ['a mark of direction', { synopsis: 'A planet.\nIt\u200e thinks.' }],
    ['controls', { people: [{ name: 'Lem\u0000', role: 'writer' }] }],
    ['nothing to be seen', { genres: ['\u00ad'] }],
    ['a mountain of accents', { aliases: [`a${'\u0301'.repeat(50)}`] }],
    ['half a character', { translations: [{ language: 'de', name: '\ud800' }] }],
  ] as const)
    t.match(refusal(metadata), { ok: false, code: 'TITLE_TEXT_INVALID' }, what);
  t.match(refusal({ genres: ['Drama', 'Sci\u200bFi'] }), { detail: /^genres\.1 / });
  t.match(refusal({ translations: [{ language: 'd-', name: 'x' }] }), { ok: false, code: 'INVALID' });
  t.match(refusal({ translations: [{ language: 'DE', name: 'x' }, { language: 'de' }] }), {
    code: 'INVALID',
  });
  const html = '<script>alert(1)</script> & سلام 👨‍👩‍👧';
  t.match(refusal({ name: html, synopsis: `${html}\r\n\r\n\r\nEnd. ` }), {
    value: { name: html, synopsis: `${html}\n\nEnd.` },
  });
});

t.test('what a record would not hold is refused', async (t) => {
  const ids = (count: number) => Array.from({ length: count }, (_, at) => `file:${at}/film.mp4`);
  t.match(checkMetadata({ name: 'Film', externalIds: ids(20) }), { ok: true });
  t.match(checkMetadata({ name: 'Film', externalIds: ids(21) }), {
    ...{ ok: false, code: 'INVALID' },
    detail: /^externalIds /,
  });
  // By NFC two characters each.
  const longer = '\u095e'.repeat(150);
  t.match(checkMetadata({ name: longer }), { ok: false, code: 'TITLE_TEXT_INVALID' });
  t.match(titleName(longer), { ok: false, code: 'TITLE_TEXT_INVALID' });
  t.match(checkMetadata({ name: 'Film', synopsis: '\u095e'.repeat(3000) }), { detail: /^synopsis / });
});

t.test('what is kept is kept as it is, in one order, without doubles', async (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('a', 'e\u0301', 'x\ny'),
  );
  const typed = fc.record(
    {
      name: text,
      year: fc.constant(1972),
      genres: fc.array(text, { maxLength: 3 }),
      people: fc.array(fc.record({ name: text, role: fc.constantFrom('actor', 'host') })),
      synopsis: text,
      translations: fc.array(fc.record({ language: fc.constantFrom('de', 'PT-br', '!'), name: text })),
    },
    { requiredKeys: ['name'] },
  );
  fc.assert(
    fc.property(typed, (metadata) => {
      const once = checkMetadata(metadata);
      if (!once.ok) return ['TITLE_TEXT_INVALID', 'INVALID'].includes(once.code);
      const again = checkMetadata(Object.fromEntries(Object.entries(once.value).reverse()) as TitleMetadata);
      return again.ok && JSON.stringify(again.value) === JSON.stringify(once.value);
    }),
  );
  const kept = checkMetadata({ genres: ['Drama', ' Drama '], people: [], name: ' Solaris ' });
  t.strictSame(kept, { ok: true, value: { name: 'Solaris', genres: ['Drama'] } });
  t.ok(kept.ok && matches(TitleMetadata, kept.value));
});

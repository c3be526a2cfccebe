import fc from 'fast-check';
import t from 'tap';
import { sortFew } from '../../../common/core/sort-few.ts';

t.test('few and many are sorted as by Array.prototype.sort, equals in their order', (t) => {
  const itemsArb = fc.array(fc.record({ key: fc.nat(6) }), { maxLength: 40 });
  fc.assert(
    fc.property(itemsArb, (items) => {
      const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
      const sorted = [...items].sort(byKey);
      const given = [...items];
      if (sortFew(given, byKey) !== given) return false;
      // The very same objects in the same places.
      return given.every((item, at) => item === sorted[at]);
    }),
  );
  t.end();
});

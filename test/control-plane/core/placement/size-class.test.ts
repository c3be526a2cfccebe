import fc from 'fast-check';
import t from 'tap';
import { noSizeClass, sizeClassOf } from '../../../../control-plane/core/placement/size-class.ts';

t.test('what is of a higher class is larger, whatever the sizes', async (t) => {
  const size = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 20 }),
    fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    fc.double({ noNaN: true, min: -1e12, max: 1e30 }),
  );
  fc.assert(
    fc.property(size, size, (a, b) => !(sizeClassOf(a) > sizeClassOf(b)) || a > b),
    { examples: [[2 ** 30, 2 ** 30 - 1]] },
  );
  t.ok(sizeClassOf(1.2e9) > sizeClassOf(1e9), 'a fifth more is another class');
  t.strictSame([-Infinity, 0, 1].map(sizeClassOf), [0, 0, 0]);
  t.equal(sizeClassOf(Infinity), noSizeClass - 1);
});

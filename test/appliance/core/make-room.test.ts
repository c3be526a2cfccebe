import fc from 'fast-check';
import t from 'tap';

import { makeRoom } from '../../../appliance/core/make-room.ts';

void t.test('what was not asked for for longest goes first, and no more than needed', (test) => {
  const spare = [
    { file: 'b', costBytes: 10, usedAtMs: 2 },
    { file: 'a', costBytes: 10, usedAtMs: 1 },
    { file: 'c', costBytes: 10, usedAtMs: 3 },
  ];
  test.same(makeRoom({ costBytes: 5, freeBytes: 5, spare }), []);
  test.same(makeRoom({ costBytes: 5, freeBytes: 0, spare }), ['a']);
  test.same(makeRoom({ costBytes: 0, freeBytes: -15, spare }), ['a', 'b']);
  test.equal(makeRoom({ costBytes: 31, freeBytes: 0, spare }), undefined);
  test.end();
});

void t.test('it fits afterwards, or could not', (test) => {
  const spares = fc.array(fc.record({ file: fc.uuid(), costBytes: fc.nat(100), usedAtMs: fc.nat(100) }));
  fc.assert(
    fc.property(fc.nat(500), fc.integer({ min: -200, max: 200 }), spares, (costBytes, freeBytes, spare) => {
      const going = makeRoom({ costBytes, freeBytes, spare });
      const cost = new Map(spare.map((each) => [each.file, each.costBytes]));
      const sum = (files: Iterable<string>): number =>
        [...files].reduce((all, file) => all + (cost.get(file) ?? 0), 0);
      if (going === undefined) return freeBytes + sum(cost.keys()) < costBytes;
      return freeBytes + sum(going) >= costBytes;
    }),
  );
  test.end();
});

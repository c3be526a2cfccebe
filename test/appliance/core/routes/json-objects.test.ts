import fc from 'fast-check';
import t from 'tap';

import { JsonObjects } from '../../../../appliance/core/routes/json-objects.ts';

t.test('objects are found in lists and lines, in pieces of any size', async () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 8 });
  fc.assert(
    fc.property(objects, fc.array(fc.nat()), fc.boolean(), (values, cuts, isList) => {
      const text = isList ? JSON.stringify(values) : values.map((value) => JSON.stringify(value)).join('\n');
      const reader = new JsonObjects();
      const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
      let from = 0;
      const found = ends.flatMap((end) => {
        const taken = reader.push(text.slice(from, end));
        from = end;
        return taken.ok ? taken.value : ['failed'];
      });
      return JSON.stringify(found.map((one) => JSON.parse(one) as unknown)) === JSON.stringify(values);
    }),
  );
});

t.test('an object that never ends is refused', async (t) => {
  const reader = new JsonObjects();
  t.equal(reader.push('{"a":"').ok, true);
  t.match(reader.push('x'.repeat(2 * 1024 * 1024)), { ok: false, code: 'ROUTE_SOURCE_UNREADABLE' });
});

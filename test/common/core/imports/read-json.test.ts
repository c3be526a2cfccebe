import fc from 'fast-check';
import t from 'tap';
import type { ImportLine } from '../../../../common/core/imports/lines.ts';
import { readJson } from '../../../../common/core/imports/read-json.ts';

const read = (text: string): unknown[] =>
  [...readJson(text, 'titles.json')].map(({ line, read: told }: ImportLine) =>
    'entry' in told ? told.entry : line,
  );

t.test('arrays and lines of objects come back, whatever is in them', async (t) => {
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(fc.array(object, { minLength: 1, maxLength: 5 }), (objects) => {
      const same = JSON.parse(JSON.stringify(objects)) as unknown[];
      t.strictSame(read(JSON.stringify(objects)), same);
      t.strictSame(read(JSON.stringify(objects, undefined, 2)), same);
      t.strictSame(read(objects.map((one) => JSON.stringify(one)).join('\n')), same);
    }),
  );
});

t.test('what is broken is told of by its line, and the rest is read', async (t) => {
  t.strictSame(read('{"a": 1}\n{"a": \n{"a": 3}\n{"a: 4}\n{"a": 5}'), [{ a: 1 }, 2, { a: 3 }, 4, { a: 5 }]);
  t.strictSame(read('[\n  {\n    "a": {"b": 1},,\n    "c": {}\n  },\n  {"a": 2}\n]'), [2, { a: 2 }]);
  t.strictSame(read(`{"a": "${'x'.repeat(1024 * 1024)}"}\n{"a": 2}`), [1, { a: 2 }]);
  t.strictSame(read(''), [1]);
  t.strictSame(read('no JSON at all'), [1]);
});

t.test('the time for what is broken grows with its length, not faster', (t) => {
  const lines = 100_000;
  // Each begins an object that never ends: looked at to its most, this would be six billion characters.
  t.equal(read('{\n'.repeat(lines)).length, lines);
  t.equal(read(`${'{"a":\n'.repeat(5000)}x${'}'.repeat(5000)}\n{"b": 1}`).length, 2);
  t.end();
});

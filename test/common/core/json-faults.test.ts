import fc from 'fast-check';
import t from 'tap';

import { checkJsonText } from '../../../common/core/json-faults.ts';

const check = (text: string, depthMax = 4): string => {
  const result = checkJsonText(Buffer.from(text), { depthMax });
  return result.ok ? 'ok' : result.code;
};

t.test('what honest writers make is let through', (t) => {
  for (const text of [
    '{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}',
    '{"a":"\\"a\\":","b":"a"}',
    '["a","a",{"constructor":1,"prototype":2}]',
    '{"constructor":{"name":"x"},"prototype":{}}',
    '[[[[]]],[[[]]]]',
    '"__proto__"',
    '{"__proto":1,"proto__":2}',
    '{"a\\\\":1,"a":2}',
    JSON.stringify(Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, at]))),
  ])
    t.equal(check(text), 'ok', text.slice(0, 60));
  t.end();
});

t.test('each fault has its code', (t) => {
  for (const [text, code] of [
    ['[[[[[', 'JSON_TOO_DEEP'],
    ['{"a":{"a":{"a":{"a":{}}}}}', 'JSON_TOO_DEEP'],
    ['['.repeat(1_000_000), 'JSON_TOO_DEEP'],
    ['{"a":1,"a":1}', 'JSON_KEY_DUPLICATE'],
    ['{"a":1,"\\u0061":1}', 'JSON_KEY_DUPLICATE'],
    ['{"a":{"b":1},"b":[],"a":2}', 'JSON_KEY_DUPLICATE'],
    ['{"é":1,"\\u00e9":2}', 'JSON_KEY_DUPLICATE'],
    ['{"x":[{"__proto__":{"isAdmin":true}}]}', 'JSON_KEY_FORBIDDEN'],
    ['{"\\u005f_proto__":1}', 'JSON_KEY_FORBIDDEN'],
    ['{"constructor":{"prototype":{"x":1}}}', 'JSON_KEY_FORBIDDEN'],
  ] as const)
    t.equal(check(text), code, text.slice(0, 60));
  const many = Array.from({ length: 100 }, (_, at) => `"k${at}":1`).join(',');
  t.equal(check(`{${many},"k57":1}`), 'JSON_KEY_DUPLICATE', 'among many keys');
  t.end();
});

t.test('whatever a value is, its text is let through, and twice the same key is not', (t) => {
  const key = fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__' && name !== 'prototype');
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(null)),
      fc.array(tie('any'), { maxLength: 5 }),
      fc.dictionary(key, tie('any'), { maxKeys: 12 }),
    ),
  })).any;
  fc.assert(fc.property(value, (any) => check(JSON.stringify(any), 1000) === 'ok'));
  fc.assert(
    fc.property(fc.dictionary(key, value, { minKeys: 1, maxKeys: 12 }), (object) => {
      const [first = ''] = Object.keys(object);
      const text = JSON.stringify(object);
      return check(`${text.slice(0, -1)},${JSON.stringify(first)}:1}`, 1000) === 'JSON_KEY_DUPLICATE';
    }),
  );
  t.end();
});

t.test('any bytes come to an end', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      checkJsonText(Buffer.from(bytes), { depthMax: 4 });
      return true;
    }),
  );
  t.end();
});

import t from 'tap';
import { Type as TypeBox } from 'typebox';

import { Type } from '../../../common/contract/type.ts';

/** The same calls on either. */
function schemasOf(T: typeof Type): Record<string, unknown> {
  const Inner = T.Object(
    { a: T.Optional(T.String({ minLength: 1 })), b: T.Integer({ minimum: 0 }), c: T.Optional(T.Null()) },
    { additionalProperties: false },
  );
  return {
    inner: Inner,
    allOptional: T.Object({ a: T.Optional(T.Boolean({ default: true })) }),
    spread: T.Object({ a: { ...T.Optional(T.String()), description: 'no longer optional' } }),
    optionalSpread: T.Object({ a: T.Optional({ ...T.Number(), default: 1 }) }),
    literals: T.Union([T.Literal('a'), T.Literal(1), T.Literal(true), T.Null()], { default: 'a' }),
    array: T.Array(Inner, { maxItems: 3 }),
    tuple: T.Tuple([T.Integer(), T.String()]),
    record: T.Record(T.String(), T.Integer(), { maxProperties: 3 }),
    unknown: T.Unknown({ description: 'any' }),
    unsafe: T.Unsafe<string>({ type: 'string', format: 'x' }),
    pick: T.Pick(Inner, ['a', 'b']),
  };
}

t.test('every constructor writes the JSON Schema that TypeBox writes', async (t) => {
  const expected = schemasOf(TypeBox);
  for (const [name, schema] of Object.entries(schemasOf(Type))) {
    t.strictSame(JSON.parse(JSON.stringify(schema)), JSON.parse(JSON.stringify(expected[name])), name);
  }
});

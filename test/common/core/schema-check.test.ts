import { Ajv } from 'ajv';
import fc from 'fast-check';
import t from 'tap';

import { ApplianceSchema } from '../../../appliance/config.ts';
import * as documents from '../../../common/contract/documents.ts';
import * as nodes from '../../../common/contract/nodes.ts';
import { conforms } from '../../../common/core/schema-check.ts';

type Schema = Readonly<Record<string, unknown>>;

const names = ['a', 'b', 'a\nb', 'toString'];
const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
const agrees = (schema: Schema, value: unknown): boolean => {
  const said = conforms(schema, value, { values: 10_000 });
  return said === undefined || said === ajv.compile(schema)(value);
};

const limit = fc.integer({ min: -1, max: 4 });
const length = fc.nat(4);
const literal = fc.oneof(fc.constantFrom('', 'a', 'ab', '𝒳𝒴'), fc.integer({ min: -2, max: 5 }), fc.boolean());
const { schema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.record({ const: literal, description: fc.constant('what it is') }, { requiredKeys: ['const'] }),
    fc.record(
      {
        ...{ type: fc.constantFrom('integer', 'number'), minimum: limit, maximum: limit },
        ...{ exclusiveMinimum: limit, exclusiveMaximum: limit },
      },
      { requiredKeys: [] },
    ),
    fc.record(
      {
        ...{ type: fc.constantFrom('string', 'boolean', 'null'), minLength: length, maxLength: length },
        pattern: fc.constantFrom('^.$', '^[a-z]*$', '^\\p{L}+$'),
      },
      { requiredKeys: ['type'] },
    ),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc.record(
      { type: fc.constant('array'), items: tie('schema'), minItems: length, maxItems: length },
      { requiredKeys: ['items'] },
    ),
    fc.record(
      {
        items: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
        additionalItems: fc.constant(false),
      },
      { requiredKeys: ['items'] },
    ),
    fc.record(
      {
        ...{ type: fc.constant('object'), required: fc.subarray(names) },
        properties: fc.dictionary(fc.constantFrom(...names), tie('schema'), { maxKeys: 3 }),
        patternProperties: fc.dictionary(fc.constantFrom('^.*$', '^a'), tie('schema'), { maxKeys: 1 }),
        additionalProperties: fc.constantFrom(false, true, undefined),
      },
      { requiredKeys: [] },
    ),
    fc.constantFrom<Schema>({ enum: ['a', 1] }, { not: { type: 'string' } }, { minProperties: 1 }),
  ),
}));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    literal,
    fc.constantFrom<unknown>(null, undefined, 0.5, NaN, Infinity, '𝒳', '\ud835'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 3 }),
  ),
}));

void t.test('says what Ajv says, or nothing', (test) => {
  let known = 0;
  fc.assert(
    fc.property(schema, value, (schema, value) => {
      if (conforms(schema, value, { values: 10_000 }) !== undefined) known++;
      return agrees(schema, value);
    }),
    { numRuns: 2000 },
  );
  test.ok(known > 1000, `it knew ${known}`);
  test.end();
});

void t.test('knows the schemas of the contract', (test) => {
  const unknown = Object.entries<unknown>({ ...documents, ...nodes, ApplianceSchema })
    .filter(([, schema]) => isSchema(schema) && isUnknown(schema))
    .map(([name]) => name);
  test.same(unknown, []);
  test.end();
});

function isSchema(part: unknown): part is Schema {
  return typeof part === 'object' && part !== null && ['type', 'anyOf', 'const'].some((name) => name in part);
}

/** Whether something in a schema is not known, whatever the value. */
function isUnknown(schema: Schema): boolean {
  const parts = Object.values(schema).flatMap((part) => (Array.isArray(part) ? (part as unknown[]) : [part]));
  const inside = ['properties', 'patternProperties'].flatMap((name): unknown[] =>
    Object.values((schema[name] ?? {}) as Schema),
  );
  const deeper = [...parts, ...inside].filter(isSchema);
  const own = Object.fromEntries(Object.entries(schema).filter(([name]) => name !== 'default'));
  return (
    [undefined, null, 0, '', [], {}].every((value) => conforms(own, value, { values: 100 }) === undefined) ||
    deeper.some(isUnknown)
  );
}

void t.test('gives up on what is too much to walk through', (test) => {
  const many = { type: 'array', items: { type: 'integer' } };
  test.equal(conforms(many, Array(100).fill(1), { values: 101 }), true);
  test.equal(conforms(many, Array(100).fill(1), { values: 100 }), undefined);
  test.equal(conforms(many, ['no', ...(Array(1000).fill(1) as number[])], { values: 100 }), false);
  test.end();
});

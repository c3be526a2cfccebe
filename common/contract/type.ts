import type { Type as TypeBox } from 'typebox';

export type { Static, TObject, TSchema, TUnion } from 'typebox';

// TypeBox gives the types; what its constructors return at run time is plain JSON Schema, made here for the few that the
// contract uses. Loading TypeBox itself costs every process 25 MB and a hundred milliseconds for it.
// test/common/contract/type.test.ts holds both to the same output.

type Constructors =
  | 'Array'
  | 'Boolean'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Pick'
  | 'Record'
  | 'String'
  | 'Tuple'
  | 'Union'
  | 'Unknown'
  | 'Unsafe';

type Schema = Readonly<Record<string, unknown>>;
type Properties = Readonly<Record<string, Schema>>;

const optional = Symbol('optional');

/** Marks a copy; a later copy by spreading loses the mark, as TypeBox's does. */
function markOptional(schema: Schema): Schema {
  return Object.defineProperty({ ...schema }, optional, { value: true, enumerable: false });
}

function objectOf(properties: Properties, options?: Schema): Schema {
  const required = Object.keys(properties).filter((name) => !(optional in (properties[name] ?? {})));
  return { type: 'object', ...(required.length === 0 ? {} : { required }), properties, ...options };
}

function pick(schema: Schema, names: readonly string[], options?: Schema): Schema {
  const properties = schema['properties'] as Properties;
  const kept = Object.entries(properties).filter(([name]) => names.includes(name));
  return objectOf(Object.fromEntries(kept), options);
}

const plain = (type: string) => (options?: Schema) => ({ type, ...options });

const constructors = {
  Array: (items: Schema, options?: Schema) => ({ type: 'array', items, ...options }),
  Boolean: plain('boolean'),
  Integer: plain('integer'),
  Literal: (value: string | number | boolean, options?: Schema) => ({
    type: typeof value,
    const: value,
    ...options,
  }),
  Null: plain('null'),
  Number: plain('number'),
  Object: objectOf,
  Optional: markOptional,
  Pick: pick,
  Record: (_key: Schema, value: Schema, options?: Schema) => ({
    type: 'object',
    patternProperties: { '^.*$': value },
    ...options,
  }),
  String: plain('string'),
  Tuple: (items: readonly Schema[], options?: Schema) => ({
    type: 'array',
    additionalItems: false,
    items,
    minItems: items.length,
    ...options,
  }),
  Union: (anyOf: readonly Schema[], options?: Schema) => ({ anyOf, ...options }),
  Unknown: (options?: Schema) => ({ ...options }),
  Unsafe: (schema: Schema) => ({ ...schema }),
} satisfies Record<Constructors, unknown>;

/** TypeBox's constructors, those that the contract uses. */
export const Type = constructors as unknown as Pick<typeof TypeBox, Constructors>;

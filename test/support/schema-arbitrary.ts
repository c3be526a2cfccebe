import fc from 'fast-check';

/** The parts of JSON Schema that the contract uses. */
export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

// Enough to meet every branch, few enough to be quick.
const ITEMS_MAX = 4;
const LENGTH_MAX = 40;

/** Values that mostly fit a schema: one in some parts is left out, or is anything. */
export function arbitraryOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 15, arbitrary: fitting(schema) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  );
}

function fitting(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(fitting));
  switch (schema.type) {
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.maxSafeInteger().map((value) => within(value, schema));
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => within(value, schema));
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return arrayOf(schema);
    case 'object':
      return objectOf(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function textOf({ pattern, minLength = 0, maxLength = LENGTH_MAX }: JsonSchema): fc.Arbitrary<string> {
  // fast-check knows no lookaheads: without them a text fits most of the time, which is what is wanted.
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern.replaceAll(/\(\?[=!][^)]*\)/g, '')));
  return fc.string({
    unit: 'binary',
    minLength,
    maxLength: Math.max(minLength, Math.min(maxLength, LENGTH_MAX)),
  });
}

/** Moved into the bounds, by wrapping around where both are there. */
function within(value: number, { minimum, maximum }: JsonSchema): number {
  if (minimum === undefined) return maximum === undefined ? value : Math.min(value, maximum);
  if (maximum === undefined) return Math.max(value, minimum);
  const span = maximum - minimum;
  const whole = Number.isInteger(value) ? span + 1 : span;
  return span === 0 ? minimum : minimum + (Math.abs(value) % whole);
}

function arrayOf({ items = {}, minItems = 0, maxItems = ITEMS_MAX }: JsonSchema): fc.Arbitrary<unknown[]> {
  if (isTuple(items)) return fc.tuple(...items.map(arbitraryOf));
  const maxLength = Math.max(minItems, Math.min(maxItems, ITEMS_MAX));
  return fc.array(arbitraryOf(items), { minLength: minItems, maxLength });
}

function isTuple(items: JsonSchema | readonly JsonSchema[]): items is readonly JsonSchema[] {
  return Array.isArray(items);
}

function objectOf({ properties, required = [], patternProperties }: JsonSchema): fc.Arbitrary<object> {
  if (properties === undefined) {
    const [[pattern, value] = ['', {}]] = Object.entries(patternProperties ?? {});
    const key = pattern === '' || pattern === '^.*$' ? fc.string() : fc.stringMatching(new RegExp(pattern));
    return fc.dictionary(key, arbitraryOf(value), { maxKeys: ITEMS_MAX });
  }
  const parts = Object.fromEntries(
    Object.entries(properties).map(([name, child]) => [name, arbitraryOf(child)]),
  );
  const whole = fc.record(parts, { requiredKeys: [...required] });
  return fc.oneof(
    { weight: 15, arbitrary: whole },
    { weight: 1, arbitrary: fc.record(parts, { requiredKeys: [] }) },
  );
}

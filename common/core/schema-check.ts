/** A JSON Schema as the contract's constructors write them. */
type Schema = Readonly<Record<string, unknown>>;

/** What a schema says of a value; undefined where that is not known here. */
type Verdict = boolean | undefined;

/** Judges a value by one keyword. */
type Judge = (keyword: never, value: unknown, at: { schema: Schema; budget: CheckBudget }) => Verdict;

/** How much may be looked at; what is left over is counted down. */
export interface CheckBudget {
  values: number;
}

/**
 * Whether a value is of a schema, by walking through it: for one value some hundred times cheaper than having a validator made, and for
 * thousands dearer. Says what Ajv says (strict off; JSON Schema draft 7), or undefined where the schema has what is not
 * known here, or there is more to look at than the budget.
 */
export function conforms(schema: object, value: unknown, budget: CheckBudget): Verdict {
  if (budget.values-- <= 0) return undefined;
  const keywords = schema as Schema;
  let verdict: Verdict = true;
  for (const [keyword, argument] of Object.entries(keywords)) {
    if (argument === undefined || annotations.has(keyword)) continue;
    const judge = judges.get(keyword);
    const said = judge?.(argument as never, value, { schema: keywords, budget });
    if (said === false) return false;
    if (said === undefined) verdict = undefined;
  }
  return verdict;
}

const annotations = new Set(['default', 'description', 'title']);
const patterns = new Map<string, RegExp>();

const judges = new Map<string, Judge>(
  Object.entries({
    type: (type: unknown, value) => isOfType(type, value),
    const: (wanted: unknown, value) => (isPlain(wanted) ? value === wanted : undefined),
    anyOf: (members: readonly Schema[], value, { budget }) => anyOf(members, value, budget),
    minimum: ofNumber((limit, value) => value >= limit),
    maximum: ofNumber((limit, value) => value <= limit),
    exclusiveMinimum: ofNumber((limit, value) => value > limit),
    exclusiveMaximum: ofNumber((limit, value) => value < limit),
    minLength: ofText((limit, text) => codePoints(text, limit) >= limit),
    // There are no more code points than units.
    maxLength: ofText((limit, text) => text.length <= limit || codePoints(text, limit + 1) <= limit),
    pattern: (pattern: string, value) => typeof value !== 'string' || patternOf(pattern).test(value),
    minItems: (limit: number, value) => !Array.isArray(value) || value.length >= limit,
    maxItems: (limit: number, value) => !Array.isArray(value) || value.length <= limit,
    items: (items: Schema | readonly Schema[], value, { budget }) => itemsAre(items, value, budget),
    additionalItems: (allowed: unknown, value, { schema }) => restIs(allowed, value, schema),
    required: (names: readonly string[], value) =>
      !isObject(value) || names.every((name) => value[name] !== undefined),
    properties: (properties: Readonly<Record<string, Schema>>, value, { budget }) =>
      !isObject(value) ||
      all(Object.entries(properties), ([name, property]) =>
        value[name] === undefined ? true : conforms(property, value[name], budget),
      ),
    patternProperties: (properties: Readonly<Record<string, Schema>>, value, { budget }) =>
      !isObject(value) ||
      all(Object.entries(properties), ([pattern, property]) =>
        all(Object.keys(value), (name) =>
          patternOf(pattern).test(name) ? conforms(property, value[name], budget) : true,
        ),
      ),
    additionalProperties: (allowed: unknown, value, { schema }) => othersAre(allowed, value, schema),
  } satisfies Record<string, (keyword: never, value: unknown, at: Parameters<Judge>[2]) => Verdict>),
);

function isOfType(type: unknown, value: unknown): Verdict {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      return undefined;
  }
}

function anyOf(members: readonly Schema[], value: unknown, budget: CheckBudget): Verdict {
  let verdict: Verdict = false;
  for (const member of members) {
    const said = conforms(member, value, budget);
    if (said === true) return true;
    if (said === undefined) verdict = undefined;
  }
  return verdict;
}

function itemsAre(items: Schema | readonly Schema[], value: unknown, budget: CheckBudget): Verdict {
  if (!Array.isArray(value)) return true;
  const of = (index: number): Schema | undefined => (isList(items) ? items[index] : items);
  return all(value.keys(), (index) => {
    const item = of(index);
    return item === undefined ? true : conforms(item, value[index], budget);
  });
}

function restIs(allowed: unknown, value: unknown, { items }: Schema): Verdict {
  if (allowed !== false || !Array.isArray(items)) return undefined;
  return !Array.isArray(value) || value.length <= items.length;
}

function othersAre(allowed: unknown, value: unknown, { properties, patternProperties }: Schema): Verdict {
  if (allowed !== false || patternProperties !== undefined) return undefined;
  const known = (properties ?? {}) as Readonly<Record<string, Schema>>;
  return !isObject(value) || Object.keys(value).every((name) => Object.hasOwn(known, name));
}

/** Whether something holds of all; unknown where it is of one and false of none. */
function all<Item>(items: Iterable<Item>, judge: (item: Item) => Verdict): Verdict {
  let verdict: Verdict = true;
  for (const item of items) {
    const said = judge(item);
    if (said === false) return false;
    if (said === undefined) verdict = undefined;
  }
  return verdict;
}

function ofNumber(judge: (limit: number, value: number) => boolean) {
  return (limit: number, value: unknown): Verdict => typeof value !== 'number' || judge(limit, value);
}

function ofText(judge: (limit: number, text: string) => boolean) {
  return (limit: number, value: unknown): Verdict => typeof value !== 'string' || judge(limit, value);
}

/** How many code points a text has, counted up to some. */
function codePoints(text: string, max: number): number {
  let count = 0;
  for (const _point of text) if (++count >= max) break;
  return count;
}

/** The patterns are those of schemas: as many as the program has. */
function patternOf(pattern: string): RegExp {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const made = new RegExp(pattern, 'u');
  patterns.set(pattern, made);
  return made;
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(items: Schema | readonly Schema[]): items is readonly Schema[] {
  return Array.isArray(items);
}

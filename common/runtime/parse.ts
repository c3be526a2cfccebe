import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Static, TSchema, TUnion } from '../contract/type.ts';
import type { ProblemCode } from '../contract/problem.ts';
import { coded, type ProblemFields } from './errors.ts';

// strict off: TypeBox writes unions that ajv would only complain about. The schemas are our own: checking them by the schema of
// schemas, which has to be compiled for it, costs every process more than its own.
const ajv = new Ajv({
  ...{ strict: false, allErrors: false, coerceTypes: false, useDefaults: false },
  ...{ meta: false, validateSchema: false },
});
const compiled = new WeakMap<TSchema, ValidateFunction>();

/**
 * Parses an unknown value at the edge: returns it as the schema's type or throws a coded error (`INVALID` unless
 * another code is given) whose `fields` name what is wrong. `what` starts the detail: "the keyset".
 */
export function parseAs<T extends TSchema>(
  schema: T,
  value: unknown,
  options: { what: string; code?: ProblemCode },
): Static<T> {
  const validate = validatorOf(schema);
  if (validate(value)) return value as Static<T>;
  const fields = fieldsOf(validate.errors);
  const [first] = fields;
  const where = first === undefined ? 'is not valid' : `${first.path || 'as a whole'} ${first.message}`;
  throw coded(options.code ?? 'INVALID', { detail: `${options.what}: ${where}`, fields });
}

/**
 * Parses a value of a union whose members are told apart by their `kind`: as `parseAs`, but only members that really come are
 * compiled, which takes longest when a process starts.
 */
export function parseKindAs<T extends TUnion>(
  union: T,
  value: unknown,
  options: { what: string; code?: ProblemCode },
): Static<T> {
  const { kind } = (value ?? {}) as { kind?: unknown };
  const members = union.anyOf as readonly (TSchema & { properties?: { kind?: { const?: unknown } } })[];
  const member = members.find(({ properties }) => kind !== undefined && properties?.kind?.const === kind);
  return parseAs(member ?? union, value, options) as Static<T>;
}

/** Whether the value is of the schema's type. */
export function matches<T extends TSchema>(schema: T, value: unknown): value is Static<T> {
  return validatorOf(schema)(value);
}

/** JSON text as the schema's type; bad JSON is reported like a bad field. */
export function parseJsonAs<T extends TSchema>(
  schema: T,
  text: string,
  options: { what: string; code?: ProblemCode },
): Static<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw coded(options.code ?? 'INVALID', { detail: `${options.what} is not JSON`, cause });
  }
  return parseAs(schema, value, options);
}

function validatorOf(schema: TSchema): ValidateFunction {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const validate = ajv.compile(schema);
  compiled.set(schema, validate);
  return validate;
}

const FIELDS_MAX = 16;

/** Ajv's errors as a problem's fields: dotted path and what must be. */
export function fieldsOf(errors: readonly ErrorObject[] | null | undefined): ProblemFields {
  return joinUnions(errors ?? [])
    .slice(0, FIELDS_MAX)
    .map((error) => ({ path: pathOf(error), message: messageOf(error) }));
}

/** A union of literals fails once for each of them: one `enum` error says the same. */
function joinUnions(errors: readonly ErrorObject[]): ErrorObject[] {
  return errors.flatMap((error) => {
    if (error.keyword === 'const' && unionOf(error, errors) !== undefined) return [];
    if (error.keyword !== 'anyOf') return [error];
    const literals = errors.filter((other) => other.keyword === 'const' && unionOf(other, [error]) === error);
    if (literals.length === 0) return [error];
    const allowedValues = literals.map((other) => (other.params as { allowedValue: unknown }).allowedValue);
    return [{ ...error, keyword: 'enum', params: { allowedValues } }];
  });
}

function unionOf(error: ErrorObject, errors: readonly ErrorObject[]): ErrorObject | undefined {
  return errors.find((other) => other.keyword === 'anyOf' && other.instancePath === error.instancePath);
}

function pathOf(error: ErrorObject): string {
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  const parts = error.instancePath.split('/').slice(1).map(unescapePointer);
  const extra = params.missingProperty ?? params.additionalProperty;
  return (extra === undefined ? parts : [...parts, extra]).join('.');
}

// RFC 6901 §4.
function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

function messageOf(error: ErrorObject): string {
  const params = error.params as { allowedValue?: unknown; allowedValues?: unknown[] };
  switch (error.keyword) {
    case 'required':
      return 'is missing';
    case 'additionalProperties':
      return 'is not known here';
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case 'enum':
      return `must be one of ${(params.allowedValues ?? []).map((value) => JSON.stringify(value)).join(', ')}`;
    default:
      return error.message ?? 'is not valid';
  }
}

import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import type { Static, TSchema, TUnion } from '../contract/type.ts';
import type { ProblemCode } from '../contract/problem.ts';
import { conforms } from '../core/schema-check.ts';
import { createAjv } from './ajv.ts';
import { coded, type ProblemFields } from './errors.ts';

let ajv: Ajv | undefined;
const known = new WeakMap<TSchema, { walks: number; validate?: ValidateFunction }>();

/** Where this many values of a schema were looked at, or this much is in one, a validator of its own is worth its making. */
const walksMax = 64;
const walkedValuesMax = 2000;

/**
 * Parses an unknown value at the edge: returns it as the schema's type or throws a coded error (`INVALID` unless
 * another code is given) whose `fields` name what is wrong. `what` starts the detail: "the keyset".
 */
export function parseAs<T extends TSchema>(
  schema: T,
  value: unknown,
  options: { what: string; code?: ProblemCode },
): Static<T> {
  if (judge(schema, value)) return value as Static<T>;
  // The validator says what is wrong.
  const validate = validatorOf(schema);
  if (validate(value)) return value as Static<T>;
  const fields = fieldsOf(validate.errors);
  const [first] = fields;
  const where = first === undefined ? 'is not valid' : `${first.path || 'as a whole'} ${first.message}`;
  throw coded(options.code ?? 'INVALID', { detail: `${options.what}: ${where}`, fields });
}

/**
 * Parses a value of a union whose members are told apart by their `kind`: as `parseAs`, but a value that is of none is
 * told what its own kind wants.
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
  return judge(schema, value);
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

/** Most schemas of a process meet few values and small ones, and a start meets nearly all: to make their validators took half of it. */
function judge(schema: TSchema, value: unknown): boolean {
  const { walks, validate } = known.get(schema) ?? { walks: 0 };
  if (validate !== undefined) return validate(value);
  known.set(schema, { walks: walks + 1 });
  const said = walks < walksMax ? conforms(schema, value, { values: walkedValuesMax }) : undefined;
  return said ?? validatorOf(schema)(value);
}

function validatorOf(schema: TSchema): ValidateFunction {
  const validate = known.get(schema)?.validate ?? (ajv ??= createAjv()).compile(schema);
  known.set(schema, { walks: walksMax, validate });
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

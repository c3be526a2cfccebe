import type { TObject, TSchema } from '../contract/type.ts';
import { assert } from './errors.ts';
import { parseDurationMs, parseSizeBytes } from './quantities.ts';

/** One value that can be configured: `dns.port` is --dns-port and NEARCAST_STEERING_DNS_PORT. */
export interface ConfigKey {
  /** Where it stands in the configuration object. */
  path: readonly string[];
  /** As written in messages: `dns.port`. */
  name: string;
  env: string;
  flag: string;
  schema: JsonSchema;
  types: ReadonlySet<string>;
}

/** The parts of a TypeBox schema that are read here. */
export interface JsonSchema {
  type?: string | string[];
  const?: unknown;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  default?: unknown;
  description?: string;
}

/** Every leaf of the schema. Objects with properties are groups, all else is one value. */
export function configKeys(schema: TObject, prefix: string): ConfigKey[] {
  const keys = leaves(schema as TSchema as JsonSchema, []).map(({ path, leaf }) => {
    const words = path.map(kebab).join('-');
    return {
      path,
      name: path.join('.'),
      env: `${prefix}_${words.toUpperCase().replaceAll('-', '_')}`,
      flag: `--${words}`,
      schema: leaf,
      types: new Set(typesOf(leaf)),
    };
  });
  assert(new Set(keys.map((key) => key.flag)).size === keys.length, 'two configuration keys have one flag');
  assert(!keys.some((key) => key.flag === '--config'), '--config is the flag that names the file');
  return keys;
}

function leaves(schema: JsonSchema, path: string[]): { path: string[]; leaf: JsonSchema }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const at = [...path, key];
    return child.properties === undefined ? [{ path: at, leaf: child }] : leaves(child, at);
  });
}

function kebab(word: string): string {
  return word.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

function typesOf(schema: JsonSchema): string[] {
  if (schema.const !== undefined) return [typeof schema.const];
  if (schema.enum !== undefined) return schema.enum.map((value) => typeof value);
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap(typesOf);
  return typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
}

/**
 * Text of an environment variable or flag as the value that the key's schema wants. Text that fits no type is left
 * as it is, for the validation to name.
 */
export function textToValue(key: ConfigKey, text: string): unknown {
  if (isNumeric(key.types)) {
    const number = textToNumber(key, text);
    if (number !== undefined) return number;
  }
  if (key.types.has('boolean')) {
    if (/^(?:true|yes|on|1)$/i.test(text)) return true;
    if (/^(?:false|no|off|0)$/i.test(text)) return false;
  }
  if (key.types.has('array') && !text.trimStart().startsWith('[')) {
    const items = text.split(',').map((item) => item.trim());
    return items.filter((item) => item !== '').map((item) => itemToValue(key, item));
  }
  if (key.types.has('array') || key.types.has('object')) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
}

function itemToValue(key: ConfigKey, text: string): unknown {
  const schema = key.schema.items ?? {};
  return textToValue({ ...key, schema, types: new Set(typesOf(schema)) }, text);
}

/** A value of the file: as it stands, but "10GiB" and "5s" are taken for numbers where the name has the unit. */
export function fileToValue(key: ConfigKey, value: unknown): unknown {
  return typeof value === 'string' && isNumeric(key.types) ? (unitToNumber(key, value) ?? value) : value;
}

function isNumeric(types: ReadonlySet<string>): boolean {
  return types.has('number') || types.has('integer');
}

function textToNumber(key: ConfigKey, text: string): number | undefined {
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  return unitToNumber(key, text);
}

function unitToNumber(key: ConfigKey, text: string): number | undefined {
  if (/Bytes(?:Max|Min)?$/i.test(key.name)) return parseSizeBytes(text);
  if (/Ms(?:Max|Min)?$/.test(key.name)) return parseDurationMs(text);
  return undefined;
}

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Static, TObject } from '../contract/type.ts';
import { createAjv } from './ajv.ts';
import { configKeys, fileToValue, textToValue, type ConfigKey, type JsonSchema } from './config-keys.ts';
import { conforms } from '../core/schema-check.ts';
import { coded, systemCode, type CodedError } from './errors.ts';
import { blankJsonComments } from './json-comments.ts';
import { nearest } from './nearest.ts';
import { fieldsOf } from './parse.ts';

const FILE_BYTES_MAX = 1024 * 1024;
/** More than any configuration has. */
const valuesMax = 100_000;

/** Where a configuration comes from, weakest first. */
export interface ConfigSources<T extends TObject> {
  /** Names end in their unit (`leaseMs`, `cacheBytes`); `default` and `description` in it are used. */
  schema: T;
  /** Start of the environment variables' names: `NEARCAST_APPLIANCE`. */
  prefix: string;
  /** Defaults that are known only at start; stronger than those in the schema. */
  defaults?: Readonly<Record<string, unknown>>;
  /** Read when it is there. `--config FILE` and `<PREFIX>_CONFIG` name another, which must be there. */
  fileDefault?: string;
  env?: Readonly<Record<string, string | undefined>>;
  /** Command line without program and command: `--key value`, `--key=value`, `--yes`, `--no-yes`. */
  argv?: readonly string[];
}

interface Found {
  key: ConfigKey;
  value: unknown;
  /** As named in an error: `--port`, `NEARCAST_APPLIANCE_PORT`, `port in /etc/…`. */
  source: string;
}

interface Issue {
  source: string;
  message: string;
}

/**
 * Reads the configuration once, at start: defaults < file < environment < flags, validated by the schema and deeply
 * frozen.
 *
 * @throws CONFIG_INVALID naming every wrong key, the source that it came from, and the nearest known key for an
 * unknown one.
 */
export function loadConfig<T extends TObject>(sources: ConfigSources<T>): Static<T> {
  const keys = configKeys(sources.schema, sources.prefix);
  const issues: Issue[] = [];
  const flags = readFlags(keys, sources.argv ?? [], issues);
  const env = sources.env ?? {};
  const named = flags.file ?? env[`${sources.prefix}_CONFIG`];
  const found = [
    ...readFile(keys, { path: named ?? sources.fileDefault, required: named !== undefined }, issues),
    ...readEnv(keys, { env, prefix: sources.prefix }, issues),
    ...flags.found,
  ];
  const config: Record<string, unknown> = structuredClone({ ...sources.defaults });
  const origin = new Map<string, string>();
  for (const { key, value, source } of found) {
    put(config, key.path, value);
    origin.set(key.name, source);
  }
  issues.push(...validate(sources.schema, config, { keys, origin }));
  if (issues.length > 0) throw configInvalid(issues);
  return freezeDeep(config) as Static<T>;
}

function configInvalid(issues: readonly Issue[]): CodedError {
  const fields = issues.slice(0, 32).map(({ source, message }) => ({ path: source, message }));
  return coded('CONFIG_INVALID', {
    detail: fields.map(({ path, message }) => `${path} ${message}`).join('; '),
    fields,
  });
}

function readFlags(keys: readonly ConfigKey[], argv: readonly string[], issues: Issue[]) {
  const byFlag = new Map(keys.map((key) => [key.flag, key]));
  const found: Found[] = [];
  let file: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const [flag = '', inline] = splitOnce(argv[index] ?? '', '=');
    const negated = flag.startsWith('--no-') ? byFlag.get(`--${flag.slice(5)}`) : undefined;
    const key = byFlag.get(flag) ?? (negated?.types.has('boolean') === true ? negated : undefined);
    if (key === undefined && flag !== '--config') {
      issues.push(unknown({ source: flag, word: flag }, [...byFlag.keys(), '--config'], 'is not an option'));
      continue;
    }
    if (key?.types.has('boolean') === true && inline === undefined) {
      found.push({ key, value: byFlag.has(flag), source: flag });
      continue;
    }
    const next = argv[index + 1];
    const text = inline ?? (next?.startsWith('--') === true ? undefined : next);
    if (inline === undefined && text !== undefined) index++;
    if (text === undefined) issues.push({ source: flag, message: 'needs a value' });
    else if (key === undefined) file = text;
    else found.push({ key, value: textToValue(key, text), source: flag });
  }
  return { found: joinLists(found), file };
}

/** A list's flag may be given more than once: `--root /a --root /b`. */
function joinLists(found: readonly Found[]): Found[] {
  const joined = new Map<ConfigKey, Found>();
  for (const item of found) {
    const before: unknown = joined.get(item.key)?.value;
    const value: unknown = item.value;
    const both =
      Array.isArray(before) && Array.isArray(value)
        ? [...(before as unknown[]), ...(value as unknown[])]
        : value;
    joined.set(item.key, { ...item, value: both });
  }
  return [...joined.values()];
}

function readEnv(
  keys: readonly ConfigKey[],
  { env, prefix }: { env: Readonly<Record<string, string | undefined>>; prefix: string },
  issues: Issue[],
): Found[] {
  const byEnv = new Map(keys.map((key) => [key.env, key]));
  const found: Found[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(`${prefix}_`) || name === `${prefix}_CONFIG` || text === undefined) continue;
    const key = byEnv.get(name);
    if (key === undefined)
      issues.push(unknown({ source: name, word: name }, byEnv.keys(), 'is not a known environment variable'));
    else found.push({ key, value: textToValue(key, text), source: name });
  }
  return found;
}

function readFile(
  keys: readonly ConfigKey[],
  { path, required }: { path: string | undefined; required: boolean },
  issues: Issue[],
): Found[] {
  const text = path === undefined ? undefined : readBounded(path, required);
  if (path === undefined || text === undefined) return [];
  let content: unknown;
  try {
    content = JSON.parse(blankJsonComments(text));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : '';
    throw coded('CONFIG_INVALID', { detail: `${path} is not JSON: ${reason}`, cause });
  }
  if (!isObject(content)) throw coded('CONFIG_INVALID', `${path} must hold one JSON object`);
  return walkFile(content, { path, keys, at: [], issues });
}

function walkFile(
  content: Record<string, unknown>,
  context: { path: string; keys: readonly ConfigKey[]; at: readonly string[]; issues: Issue[] },
): Found[] {
  const { path, keys, at, issues } = context;
  return Object.entries(content).flatMap(([name, value]) => {
    const here = [...at, name];
    const full = here.join('.');
    const key = keys.find((candidate) => candidate.name === full);
    if (key !== undefined) return [{ key, value: fileToValue(key, value), source: `${full} in ${path}` }];
    const isGroup = keys.some((candidate) => candidate.name.startsWith(`${full}.`));
    if (isGroup && isObject(value)) return walkFile(value, { ...context, at: here });
    if (isGroup) issues.push({ source: `${full} in ${path}`, message: 'must be an object' });
    else
      issues.push(
        unknown(
          { source: `${full} in ${path}`, word: full },
          keys.map((known) => known.name),
          'is not a known key',
        ),
      );
    return [];
  });
}

function readBounded(path: string, required: boolean): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    const missing = systemCode(cause) === 'ENOENT';
    if (missing && !required) return undefined;
    const why = missing ? 'there is no such file' : 'it cannot be read; check its permissions';
    throw coded('CONFIG_INVALID', { detail: `configuration file ${path}: ${why}`, cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw coded('CONFIG_INVALID', `configuration file ${path} is not a regular file`);
    const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
    const sizeBytes = readSync(fd, buffer, 0, buffer.length, 0);
    if (sizeBytes > FILE_BYTES_MAX) {
      throw coded('CONFIG_INVALID', `configuration file ${path} is larger than ${FILE_BYTES_MAX} bytes`);
    }
    return buffer.toString('utf8', 0, sizeBytes);
  } finally {
    closeSync(fd);
  }
}

function validate(
  schema: TObject,
  config: Record<string, unknown>,
  { keys, origin }: { keys: readonly ConfigKey[]; origin: ReadonlyMap<string, string> },
): Issue[] {
  // A group whose every key has a default need not be written; an optional group stays out unless it is.
  for (const group of (schema as JsonSchema).required ?? []) {
    if (keys.some((key) => key.path.length > 1 && key.path[0] === group)) config[group] ??= {};
  }
  fillDefaults(schema, config);
  if (conforms(schema, config, { values: valuesMax }) === true) return [];
  const ajv = createAjv({ allErrors: true });
  if (ajv.validate(schema, config)) return [];
  return fieldsOf(ajv.errors).map(({ path, message }) => {
    const key = keys.find(({ name }) => path === name || path.startsWith(`${name}.`));
    const source = key && origin.get(key.name);
    if (source !== undefined) return { source, message };
    if (key === undefined) return { source: path, message };
    return {
      source: key.name,
      message: `${message}: set ${key.flag}, ${key.env} or ${key.name} in the file`,
    };
  });
}

/** Puts in what is left out and has a default, in every group that is there. */
function fillDefaults({ properties = {} }: JsonSchema, config: Record<string, unknown>): void {
  for (const [name, property] of Object.entries(properties)) {
    if (config[name] === undefined && property.default !== undefined)
      config[name] = structuredClone(property.default);
    const value = config[name];
    if (typeof value === 'object' && value !== null) fillDefaults(property, value as Record<string, unknown>);
  }
}

function put(config: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    config[key] = value;
    return;
  }
  const child = config[key];
  const group = isObject(child) ? child : {};
  config[key] = group;
  put(group, rest, value);
}

function unknown(
  { source, word }: { source: string; word: string },
  known: Iterable<string>,
  message: string,
): Issue {
  const suggestion = nearest(word, known);
  return { source, message: suggestion === undefined ? message : `${message}; did you mean ${suggestion}?` };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function freezeDeep(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) freezeDeep(child);
  return Object.freeze(value);
}

/** The options of a process as lines of help: flag, environment variable, default and what it is for. */
export function configHelp(schema: TObject, prefix: string): string {
  const lines = configKeys(schema, prefix).map((key) => {
    const fallback =
      key.schema.default === undefined ? '' : ` (default ${JSON.stringify(key.schema.default)})`;
    return `  ${key.flag.padEnd(28)} ${key.schema.description ?? ''}${fallback}\n${' '.repeat(31)}env ${key.env}`;
  });
  return [
    `  ${'--config FILE'.padEnd(28)} JSON file, comments allowed\n${' '.repeat(31)}env ${prefix}_CONFIG`,
    ...lines,
  ].join('\n');
}

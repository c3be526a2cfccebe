/** A JSON Schema as the contract makes them. */
export interface PlainSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, PlainSchema>>;
  readonly items?: PlainSchema | readonly PlainSchema[];
  readonly anyOf?: readonly PlainSchema[];
  readonly additionalProperties?: boolean;
  readonly pattern?: string;
  readonly [limit: string]: unknown;
}

const lower = ['minimum', 'minLength', 'minItems'];
const upper = ['maximum', 'maxLength', 'maxItems'];

/**
 * Where a schema refuses what an earlier one took, or no longer says what it promised: a field that is gone or has become
 * optional, one that is new and required, a narrower limit, another type. Empty where old values can be read by the new, and readers of the old
 * go on with new values.
 */
export function breaksOf(before: PlainSchema, after: PlainSchema, at = ''): string[] {
  const where = at === '' ? 'as a whole' : at;
  const breaks: string[] = [];
  if (before.type !== after.type || before.const !== after.const) breaks.push(`${where}: another type`);
  if (before.pattern !== after.pattern && after.pattern !== undefined)
    breaks.push(`${where}: another pattern`);
  if (after.additionalProperties === false && before.additionalProperties !== false)
    breaks.push(`${where}: takes no more fields`);
  for (const name of lower)
    if (limit(after, name, -Infinity) > limit(before, name, -Infinity))
      breaks.push(`${where}: ${name} has grown`);
  for (const name of upper)
    if (limit(after, name, Infinity) < limit(before, name, Infinity))
      breaks.push(`${where}: ${name} has shrunk`);
  return [...breaks, ...fieldBreaks(before, after, at), ...partBreaks(before, after, at)];
}

function fieldBreaks(before: PlainSchema, after: PlainSchema, at: string): string[] {
  const [old, now] = [before.properties ?? {}, after.properties ?? {}];
  const [must, mustNow] = [new Set(before.required), new Set(after.required)];
  return [
    ...Object.keys(old).flatMap((name) => {
      const [was, is] = [old[name], now[name]];
      if (was === undefined || is === undefined) return [`${at}.${name}: is gone`];
      if (must.has(name) && !mustNow.has(name)) return [`${at}.${name}: may be absent now`];
      return breaksOf(was, is, `${at}.${name}`);
    }),
    ...[...mustNow].filter((name) => !must.has(name)).map((name) => `${at}.${name}: is required now`),
  ];
}

function partBreaks(before: PlainSchema, after: PlainSchema, at: string): string[] {
  const [old, now] = [listOf(before.items), listOf(after.items)];
  const items =
    old.length === now.length
      ? old.flatMap((one, index) => breaksOf(one, now[index] ?? {}, `${at}[]`))
      : [`${at}[]: another number of items`];
  const members = (before.anyOf ?? []).filter(
    (member) => !(after.anyOf ?? []).some((one) => breaksOf(member, one).length === 0),
  );
  return [...items, ...members.map((member) => `${at}: ${JSON.stringify(member)} is no longer taken`)];
}

function listOf(items: PlainSchema['items']): readonly PlainSchema[] {
  if (items === undefined) return [];
  return Array.isArray(items) ? (items as readonly PlainSchema[]) : [items as PlainSchema];
}

function limit(schema: PlainSchema, name: string, none: number): number {
  const value = schema[name];
  return typeof value === 'number' ? value : none;
}

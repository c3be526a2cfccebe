import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { eventSchemas } from '../../common/contract/event-log.ts';
import { matches } from '../../common/runtime/parse.ts';
import { breaksOf, type PlainSchema } from '../support/schema-breaks.ts';

const path = join(import.meta.dirname, 'events', 'v1.json');

interface Recorded {
  readonly schemas: Record<string, PlainSchema>;
  /** Events as earlier versions have written them. */
  readonly events: readonly { readonly type: keyof typeof eventSchemas; readonly data: unknown }[];
}

const recorded = JSON.parse(await readFile(path, 'utf8')) as Recorded;
// `NEARCAST_RECORD=1 node test/contract/event-log.test.ts` once a type has gained a field.
const isRecording = process.env['NEARCAST_RECORD'] !== undefined;

t.test('a type of the log only gains what is optional', async (t) => {
  for (const [type, schema] of Object.entries(recorded.schemas)) {
    const now = (plain(eventSchemas) as Partial<Record<string, PlainSchema>>)[type];
    t.ok(now, `${type} is still known`);
    if (now !== undefined) t.strictSame(breaksOf(schema, now), [], type);
  }
  if (isRecording)
    await writeFile(path, `${JSON.stringify({ ...recorded, schemas: eventSchemas }, undefined, 2)}\n`);
  else
    t.strictSame(plain(eventSchemas), plain(recorded.schemas), 'what is new is recorded: NEARCAST_RECORD=1');
});

t.test('what earlier versions wrote is read', async (t) => {
  for (const { type, data } of recorded.events) t.ok(matches(eventSchemas[type], data), type);
  const types = new Set(recorded.events.map(({ type }) => type));
  t.strictSame(
    Object.keys(eventSchemas).filter((type) => !types.has(type as never)),
    [],
  );
});

t.test('breaks are found', async (t) => {
  const before = {
    type: 'object',
    required: ['a'],
    properties: { a: { type: 'integer', maximum: 9 }, b: { anyOf: [{ const: 1 }, { const: 2 }] } },
  };
  const changed = (change: object, required = ['a']): string[] =>
    breaksOf(before, { ...before, required, properties: { ...before.properties, ...change } });
  t.strictSame(changed({}), []);
  t.strictSame(changed({ c: { type: 'string' } }), [], 'an optional field');
  t.strictSame(changed({ c: { type: 'string' } }, ['a', 'c']), ['.c: is required now']);
  t.strictSame(changed({}, []), ['.a: may be absent now']);
  t.strictSame(changed({ a: { type: 'string', maximum: 9 } }), ['.a: another type']);
  t.strictSame(changed({ a: { type: 'integer', maximum: 8 } }), ['.a: maximum has shrunk']);
  t.strictSame(changed({ b: { anyOf: [{ const: 1 }] } }), ['.b: {"const":2} is no longer taken']);
  t.strictSame(changed({ b: { anyOf: [{ const: 1 }, { const: 2 }, { const: 3 }] } }), []);
  t.strictSame(breaksOf(before, { ...before, properties: { b: before.properties.b } }), ['.a: is gone']);
});

/** Without the marks by which optional fields are told in memory. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

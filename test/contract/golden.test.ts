import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import t from 'tap';
import { contractVersion } from '../../common/contract/primitives.ts';
import { matches, parseAs } from '../../common/runtime/parse.ts';
import { wireSchemas } from './schemas.ts';

const goldenDir = join(import.meta.dirname, 'golden');

/** `FillManifest.window` is the golden of another case of FillManifest. */
function schemaOf(name: string): string {
  return name.split('.', 1)[0] ?? name;
}

async function golden(version: string): Promise<Map<string, unknown>> {
  const dir = join(goldenDir, version);
  const files = (await readdir(dir)).filter((file) => file.endsWith('.json'));
  const entries = files.map(async (file): Promise<[string, unknown]> => {
    return [basename(file, '.json'), JSON.parse(await readFile(join(dir, file), 'utf8'))];
  });
  return new Map(await Promise.all(entries));
}

t.test('what earlier versions put on the wire is still readable', async (t) => {
  const schemas = wireSchemas();
  for (const version of await readdir(goldenDir)) {
    for (const [name, value] of await golden(version)) {
      const schema = schemas.get(schemaOf(name));
      t.ok(schema, `${version}/${name} is still a schema`);
      if (schema !== undefined) t.doesNotThrow(() => parseAs(schema, value, { what: `${version}/${name}` }));
    }
  }
});

t.test('every schema of the wire has its golden', async (t) => {
  const current = await golden(`v${String(contractVersion)}`);
  const missing = [...wireSchemas().keys()].filter((name) => !current.has(name));
  t.strictSame(missing, [], 'run `node test/contract/record.ts`');
});

t.test('a schema is no rubber stamp: without any of its required fields a golden is refused', async (t) => {
  const schemas = wireSchemas();
  for (const [name, value] of await golden(`v${String(contractVersion)}`)) {
    const schema = schemas.get(schemaOf(name)) as { required?: string[] } | undefined;
    for (const field of schema?.required ?? []) {
      const { [field]: _gone, ...rest } = value as Record<string, unknown>;
      t.notOk(matches(schema as never, rest), `${name} without ${field}`);
    }
  }
});

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import t, { type Test } from 'tap';

interface Rules {
  forbidden: { name: string }[];
}

interface Violation {
  rule: { name: string };
  from: string;
  to: string;
}

const root = resolve(import.meta.dirname, '../..');
const { forbidden } = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as Rules;

/** Each rule, what breaks it, and the module that it must not reach. */
const broken: readonly [rule: string, file: string, source: string, to: string][] = [
  ['contract-imports-nothing-of-ours', 'common/contract/a.ts', `import '../core/c.ts';`, 'common/core/c.ts'],
  [
    'contract-runs-in-browsers',
    'common/contract/b.ts',
    `import type { Readable } from 'node:stream';`,
    'stream',
  ],
  ['contract-needs-typebox-only', 'common/contract/d.ts', `import 'undici';`, 'node_modules/undici/index.js'],
  ['core-imports-contract-and-core', 'common/core/a.ts', typeOf('../runtime/r.ts'), 'common/runtime/r.ts'],
  [
    'runtime-imports-down',
    'common/runtime/a.ts',
    typeOf('../adapters/blobs/port.ts'),
    'common/adapters/blobs/port.ts',
  ],
  ['runtime-imports-down', 'common/runtime/b.ts', `import '../../cli/c.ts';`, 'cli/c.ts'],
  [
    'adapters-import-down',
    'common/adapters/blobs/up.ts',
    `import '../../../encoder/main.ts';`,
    'encoder/main.ts',
  ],
  ['planes-never-meet', 'appliance/a.ts', typeOf('../steering/main.ts'), 'steering/main.ts'],
  [
    'planes-never-meet',
    'steering/b.ts',
    `await import('../control-plane/main.ts');`,
    'control-plane/main.ts',
  ],
  ['planes-never-meet', 'control-plane/b.ts', `import '../encoder/main.ts';`, 'encoder/main.ts'],
  ['planes-never-meet', 'encoder/b.ts', `import '../cli/c.ts';`, 'cli/c.ts'],
  ['core-is-pure', 'common/core/d.ts', typeOf('node:fs'), 'fs'],
  ['core-is-pure', 'steering/core/d.ts', `await import('node:net');`, 'net'],
  [
    'core-is-pure',
    'control-plane/services/playback/core/d.ts',
    `import 'node:timers/promises';`,
    'timers/promises',
  ],
  ['core-imports-pure-packages', 'encoder/core/e.ts', `import 'undici';`, 'node_modules/undici/index.js'],
  [
    'core-of-a-plane-imports-cores',
    'appliance/core/f.ts',
    `import '../../common/runtime/r.ts';`,
    'common/runtime/r.ts',
  ],
  ['core-of-a-plane-imports-cores', 'appliance/core/g.ts', `import '../main.ts';`, 'appliance/main.ts'],
  ['port-is-types-only', 'common/adapters/events/port.ts', `import '../../core/c.ts';`, 'common/core/c.ts'],
  [
    'port-knows-no-engine',
    'common/adapters/cache/port.ts',
    typeOf('./memory.ts'),
    'common/adapters/cache/memory.ts',
  ],
  [
    'helpers-know-the-port-only',
    'common/adapters/blobs/bytes.ts',
    `import './s3.ts';`,
    'common/adapters/blobs/s3.ts',
  ],
  [
    'shared-knows-no-engine',
    'common/adapters/shared/a.ts',
    `import '../blobs/s3.ts';`,
    'common/adapters/blobs/s3.ts',
  ],
  [
    'engines-are-opened-by-url',
    'appliance/h.ts',
    `import '../common/adapters/blobs/s3.ts';`,
    'common/adapters/blobs/s3.ts',
  ],
  [
    'engines-stay-in-their-folder',
    'common/adapters/cache/memory.ts',
    `import '../blobs/s3.ts';`,
    'common/adapters/blobs/s3.ts',
  ],
  [
    'open-imports-engines-lazily',
    'common/adapters/cache/open.ts',
    `import './memory.ts';`,
    'common/adapters/cache/memory.ts',
  ],
  [
    'services-never-meet',
    'control-plane/services/billing/a.ts',
    typeOf('../catalog/a.ts'),
    'control-plane/services/catalog/a.ts',
  ],
  ['encoder-spawns-in-one-place', 'encoder/probe.ts', `import 'node:child_process';`, 'child_process'],
  ['cli-speaks-http', 'cli/commands/a.ts', `await import('../../appliance/main.ts');`, 'appliance/main.ts'],
  [
    'cli-speaks-http',
    'cli/commands/b.ts',
    typeOf('../../common/adapters/blobs/port.ts'),
    'common/adapters/blobs/port.ts',
  ],
  ['bin-starts-planes', 'cli/bin.ts', `await import('../appliance/ok.ts');`, 'appliance/ok.ts'],
  ['bin-starts-planes-lazily', 'cli/bin.ts', `import '../steering/main.ts';`, 'steering/main.ts'],
  [
    'clients-import-the-contract',
    'clients/viewer/a.tsx',
    typeOf('../../common/core/c.ts'),
    'common/core/c.ts',
  ],
  ['clients-run-in-browsers', 'clients/viewer/b.tsx', `import 'node:path';`, 'path'],
  ['no-cycles', 'steering/x.ts', typeOf('./y.ts'), 'steering/y.ts'],
  ['tests-are-leaves', 'appliance/i.ts', `import '../test/support/s.ts';`, 'test/support/s.ts'],
  ['packaging-is-a-leaf', 'cli/p.ts', `import '../packaging/build.ts';`, 'packaging/build.ts'],
  [
    'product-needs-dependencies',
    'appliance/j.ts',
    `import 'fast-check';`,
    'node_modules/fast-check/index.js',
  ],
  ['imports-resolve', 'appliance/k.ts', `import './no-such.ts';`, './no-such.ts'],
];

/** What must be allowed, so that no rule forbids more than it says. */
const allowed: Readonly<Record<string, string>> = {
  'common/contract/ok.ts': `import 'typebox';`,
  'common/core/c.ts': `import '../contract/ok.ts'; import 'node:crypto'; import 'ipaddr.js';`,
  'common/runtime/r.ts': `import '../core/c.ts'; import 'node:fs'; import 'undici';`,
  'common/adapters/blobs/port.ts': typeOf('node:stream'),
  'common/adapters/blobs/s3.ts': `import '../../runtime/r.ts'; import '../shared/disk.ts'; import type {} from './port.ts';`,
  'common/adapters/blobs/open.ts': `import type {} from './port.ts'; await import('./s3.ts');`,
  'common/adapters/blobs/collection.ts': `import type {} from './port.ts';`,
  'common/adapters/shared/disk.ts': `import 'node:fs';`,
  'appliance/main.ts': `import './core/ok.ts'; import '../common/adapters/blobs/open.ts';`,
  'appliance/ok.ts': `import 'node:child_process'; import '../common/adapters/blobs/collection.ts';`,
  'appliance/core/ok.ts': `import '../../common/core/c.ts'; import '../../common/contract/ok.ts';`,
  'appliance/lab.ts': `import './main.ts';`,
  'steering/main.ts': `import 'undici'; import about from '../package.json' with { type: 'json' };`,
  'steering/x.ts': '',
  'steering/y.ts': `import './x.ts';`,
  'encoder/main.ts': `import './ffmpeg.ts';`,
  'encoder/ffmpeg.ts': `import 'node:child_process';`,
  'control-plane/main.ts': `import './services/catalog/a.ts';`,
  'control-plane/services/catalog/a.ts': `import '../listeners.ts';`,
  'control-plane/services/listeners.ts': '',
  'cli/c.ts': `import '../common/runtime/r.ts';`,
  'clients/viewer/main.tsx': `import '../shared/s.ts'; import 'fast-check';`,
  'clients/shared/s.ts': `import '../../common/contract/ok.ts';`,
  'clients/vite.config.ts': `import 'node:path';`,
  'packaging/build.ts': '',
  'test/support/s.ts': `import 'fast-check'; import '../../common/adapters/blobs/s3.ts'; import '../../packaging/build.ts';`,
};

function typeOf(path: string): string {
  return `import type {} from '${path}';`;
}

function makeTree(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = t.testdir({
    'package.json': JSON.stringify({
      type: 'module',
      dependencies: { typebox: '*', undici: '*', 'ipaddr.js': '*' },
      devDependencies: { 'fast-check': '*' },
    }),
    'tsconfig.json': '{}',
  });
  const packages = ['typebox', 'undici', 'ipaddr.js', 'fast-check'].flatMap((name) => [
    [`node_modules/${name}/package.json`, `{"name":"${name}","version":"1.0.0"}`],
    [`node_modules/${name}/index.js`, ''],
  ]);
  for (const [path = '', source = ''] of [...packages, ...Object.entries(files)]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), source);
  }
  cpSync(join(root, '.dependency-cruiser.cjs'), join(folder, '.dependency-cruiser.cjs'));
  return folder;
}

function violationsIn(folder: string): Violation[] {
  const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const args = [cruiser, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', '--no-cache', '.'];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
  return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
}

t.test('each import rule fires on what breaks it, and on nothing else', (t) => {
  const files: Record<string, string> = { ...allowed };
  for (const [, path, source] of broken) files[path] = `${files[path] ?? ''}${source}\n`;
  const found = violationsIn(makeTree(t, files)).map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
  for (const [rule, path, , to] of broken)
    t.ok(found.includes(`${rule}: ${path} → ${to}`), `${rule}: ${path}`);
  const breaking = new Set(broken.map(([, path]) => path));
  t.strictSame(
    found.filter((line) => !breaking.has(/: (.*) → /.exec(line)?.[1] ?? '')),
    [],
    'no file that breaks nothing is reported',
  );
  t.end();
});

t.test('what the rules allow passes', (t) => {
  t.strictSame(violationsIn(makeTree(t, allowed)), []);
  t.end();
});

t.test('every rule has an example that breaks it', (t) => {
  const examples = new Set(broken.map(([rule]) => rule));
  t.strictSame(
    forbidden.map(({ name }) => name).filter((name) => !examples.has(name)),
    [],
  );
  t.end();
});

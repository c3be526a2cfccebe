import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type InlineConfig, type Plugin, type Rolldown } from 'vite';

import { Type } from '../common/contract/type.ts';
import { assert } from '../common/runtime/errors.ts';
import { parseJsonAs } from '../common/runtime/parse.ts';

/** The JavaScript of a program and the npm packages that it is made of. */
export interface Compiled {
  /** Name in the program's one folder → text. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders of the npm packages that are in these files, as `node_modules/pino`. */
  readonly bundled: ReadonlySet<string>;
  /** Names of the npm packages that these files load. */
  readonly loaded: readonly string[];
}

/** What Node is started with: the command, and the processes that it starts, each by the name of its file beside the module that starts it. */
const entries = {
  bin: 'appliance/bin.ts',
  worker: 'appliance/serving/worker.ts',
  'disk-worker': 'appliance/disk/disk-worker.ts',
};

/**
 * The packages that stay packages: an addon is found by where its package is, Ajv is loaded at once where it is needed and not before,
 * and of the SDK an origin on S3 alone needs a part, which looks for others by name.
 */
const apart = ['@aws-sdk/client-s3', 'ajv', 'better-sqlite3'];
/** Addons fetched for one platform, without which their users do. */
const left = ['cbor-extract'];
const external = [...apart, ...left];

const PackageJson = Type.Object({ version: Type.String() });

/**
 * Compiles the appliance and everything that it imports into few files: to load a module of its own for each of some 300 sources took each
 * of a box's processes as long as all else of a start. What is imported lazily stays in files of its own. All are in one folder, so
 * what a module names beside itself by `import.meta.url` has to be beside the program. Types are checked by `./dev check`.
 *
 * Errors: those of the bundler, when a source has a syntax error or imports what there is not.
 */
export async function compileProgram(root: string): Promise<Compiled> {
  const files = new Map<string, string>();
  const bundled = new Set<string>();
  const chunks = outputOf(await build(settingsOf(root)));
  const own = new Set(chunks.map(({ fileName }) => fileName));
  for (const chunk of chunks) {
    // Node strips no types in an installed package, and the bundler rewrites no URL.
    assert(
      !/new URL\(\s*['"`][^'"`]+\.ts['"`]/.test(chunk.code),
      `${chunk.fileName} names a .ts file by URL`,
    );
    // The package's command is a script of its own, on the runtime that it brings.
    files.set(chunk.fileName, chunk.code.replace(/^#!.*\n/, ''));
    for (const id of chunk.moduleIds) {
      const folder = packageFolder(id);
      if (folder !== undefined) bundled.add(folder);
    }
    for (const name of [...chunk.imports, ...chunk.dynamicImports])
      assert(
        own.has(name) || isBuiltin(name) || external.includes(name),
        `${name} is neither bundled nor shipped`,
      );
  }
  return {
    files: new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))),
    bundled: new Set([...bundled].sort()),
    loaded: apart,
  };
}

function settingsOf(root: string): InlineConfig {
  return {
    ...{ root, configFile: false, envDir: false, publicDir: false, logLevel: 'error' },
    plugins: [versionOnly(root), plainBuiltins()],
    ssr: { noExternal: true, external },
    build: {
      ...{ ssr: true, write: false, minify: false, target: 'esnext' },
      rolldownOptions: {
        input: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(root, path)])),
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  };
}

/** Of our package.json nothing but the version is the program's. */
function versionOnly(root: string): Plugin {
  const path = join(root, 'package.json');
  return {
    name: 'version-only',
    enforce: 'pre',
    load: (id) =>
      id === path
        ? JSON.stringify(parseJsonAs(PackageJson, readFileSync(path, 'utf8'), { what: path }))
        : undefined,
  };
}

/**
 * Node reads every property of a module of its own that is imported, and some are getters that load much: that of all of its fetch in
 * node:http was a third of what a process took to load. Here they are taken as they are asked for; who needs a getter is told by the bundler.
 */
function plainBuiltins(): Plugin {
  const mark = '\0plain:';
  return {
    name: 'plain-builtins',
    enforce: 'pre',
    resolveId: (id, _from, { kind }) =>
      kind === 'import-statement' && isBuiltin(id) ? `${mark}${id}` : undefined,
    load(id) {
      if (!id.startsWith(mark)) return undefined;
      const name = id.slice(mark.length);
      const found = Object.getOwnPropertyDescriptors(process.getBuiltinModule(name));
      const plain = Object.entries(found).flatMap(([key, property]) => ('value' in property ? key : []));
      const named = plain.filter((key) => key !== 'default' && /^[\w$]+$/.test(key)).join(', ');
      return `const module = process.getBuiltinModule('${name}');\nexport default module;\nexport const { ${named} } = module;`;
    },
  };
}

function outputOf(built: Awaited<ReturnType<typeof build>>): Rolldown.OutputChunk[] {
  assert(!Array.isArray(built) && 'output' in built, 'one program is built once');
  return built.output.map((file) => {
    assert(file.type === 'chunk', `${file.fileName} is no JavaScript`);
    return file;
  });
}

/** The folder of the package that a file is of, from the first node_modules on; undefined for a file of ours. */
function packageFolder(path: string): string | undefined {
  return /(?<=\/)node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}

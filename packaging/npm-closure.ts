import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Type, type Static } from '../common/contract/type.ts';

import { parseJsonAs } from '../common/runtime/parse.ts';

const Names = Type.Optional(Type.Record(Type.String(), Type.String()));
const LockEntry = Type.Object({
  version: Type.Optional(Type.String()),
  license: Type.Optional(Type.String()),
  dependencies: Names,
  peerDependencies: Names,
  peerDependenciesMeta: Type.Optional(
    Type.Record(Type.String(), Type.Object({ optional: Type.Optional(Type.Boolean()) })),
  ),
});
type LockEntry = Static<typeof LockEntry>;
const Lock = Type.Object({ packages: Type.Record(Type.String(), LockEntry) });

/** An npm package as it is installed. */
export interface NpmPackage {
  /** `node_modules/pino`, or nested in another's node_modules. */
  readonly path: string;
  readonly version: string;
  /** SPDX, as the package says it. */
  readonly license: string;
}

/**
 * The packages that these need at run time, by the lock file: their dependencies and peers, resolved as Node does.
 * Optional ones are left out: they are accelerators fetched for one platform (cbor-extract), and their users do without.
 */
export function npmClosure(root: string, names: Iterable<string>): NpmPackage[] {
  const lock = readLock(root);
  const found = new Map<string, NpmPackage>();
  const queue = [...names].map((name) => resolvePackage(lock, '', name));
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (found.has(at)) continue;
    found.set(at, packageAt(lock, at));
    for (const name of neededBy(lock[at] ?? {})) queue.push(resolvePackage(lock, at, name));
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The packages in these folders, by the lock file. */
export function npmPackages(root: string, folders: Iterable<string>): NpmPackage[] {
  const lock = readLock(root);
  return [...folders].map((path) => packageAt(lock, path));
}

function readLock(root: string): Readonly<Record<string, LockEntry>> {
  const path = join(root, 'package-lock.json');
  return parseJsonAs(Lock, readFileSync(path, 'utf8'), { what: path, code: 'CONFIG_INVALID' }).packages;
}

function packageAt(lock: Readonly<Record<string, LockEntry>>, path: string): NpmPackage {
  const { version = '', license = 'see its folder' } = lock[path] ?? {};
  return { path, version, license };
}

function neededBy({ dependencies, peerDependencies, peerDependenciesMeta }: LockEntry): string[] {
  const peers = Object.keys(peerDependencies ?? {});
  return [
    ...Object.keys(dependencies ?? {}),
    ...peers.filter((name) => peerDependenciesMeta?.[name]?.optional !== true),
  ];
}

/** Where `name` is found from a package: in its own node_modules, or in one further up. */
function resolvePackage(lock: Readonly<Record<string, LockEntry>>, from: string, name: string): string {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (lock[candidate] !== undefined) return candidate;
    if (at === '')
      throw new TypeError(`${name}, which ${from || 'the program'} needs, is not in the lock file`);
  }
}

const folders = new Set([
  ...['node_modules', 'test', 'tests', '__tests__', 'test-d', 'dist-types'],
  ...['docs', 'doc', 'example', 'examples', 'bench', 'benchmark', 'benchmarks', 'coverage'],
]);
const licence = /^(licen[cs]e|copying|notice|copyright)/i;
const executable = /\.(?:c?js|mjs|json|node|wasm)$/;

/** The licence of an installed package, as paths inside it: what is shipped of one that is in the program's own files. */
export function licencesOf(packagePath: string): string[] {
  return readdirSync(packagePath)
    .filter((name) => licence.test(name) && !executable.test(name) && !name.endsWith('.ts'))
    .sort();
}

function filesOf(packagePath: string): string[] {
  return readdirSync(packagePath, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(packagePath.length + 1));
}

/**
 * The files of an installed package that run, and its licence, as paths inside it: no types, maps, sources, tests, pages or
 * builds for others than Node.
 */
export function filesToShip(packagePath: string): string[] {
  const all = filesOf(packagePath);
  const isNative = all.includes('binding.gyp');
  const isForBundlersToo = all.some((path) => path.startsWith('dist-cjs/'));
  return all
    .filter((path) => {
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      if (parts.some((part) => folders.has(part) || part.startsWith('.'))) return false;
      if (licence.test(name)) return !name.endsWith('.ts');
      if (isForBundlersToo && parts[0] === 'dist-es') return false;
      // Of an addon only what was built is loaded.
      if (isNative && ['deps', 'src'].includes(parts[0] ?? '')) return false;
      if (isNative && parts[0] === 'build')
        return path.startsWith('build/Release/') && name.endsWith('.node');
      if (parts[0] === 'prebuilds') return path.includes(`${process.platform}-${process.arch}`);
      return executable.test(name) && !name.startsWith('.') && !/^(?:tsconfig|package-lock)\b/.test(name);
    })
    .sort();
}

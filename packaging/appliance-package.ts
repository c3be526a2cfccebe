import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { Type } from '../common/contract/type.ts';
import { coded } from '../common/runtime/errors.ts';
import { parseJsonAs } from '../common/runtime/parse.ts';
import { compileProgram } from './compile.ts';
import type { DebTree } from './deb-tree.ts';
import { filesToShip, licencesOf, npmClosure, npmPackages, type NpmPackage } from './npm-closure.ts';

/** What a package is built from. */
export interface PackageSource {
  /** The repository. */
  readonly root: string;
  readonly version: string;
  readonly commit: string;
  /** Time of the commit, in seconds. */
  readonly epochS: number;
  /** Debian's name of the processor: amd64, arm64. */
  readonly architecture: string;
  /** The pinned runtime's folder, with bin/node and LICENSE. */
  readonly runtimePath: string;
}

/** How much of what is in a package. */
export interface PackagePart {
  readonly name: string;
  readonly files: number;
  readonly sizeBytes: number;
}

const name = 'nearcast-appliance';
const home = `usr/lib/${name}`;
const docs = `usr/share/doc/${name}`;
const engineBuild = 'appliance/engine/native/build';
const engineHome = `${home}/app/native/build`;
const BuildInfo = Type.Object({ node: Type.String(), arch: Type.String() });
const maintainer = 'Nearcast maintainers <maintainers@nearcast.example>';

/** Puts the whole appliance package into a tree: program, packages, runtime, unit, settings, pages, control files. */
export async function fillAppliancePackage(tree: DebTree, source: PackageSource): Promise<PackagePart[]> {
  const packages = await addProgram(tree, source);
  addEngine(tree, source);
  const library = addRuntime(tree, source);
  addSystemFiles(tree, source);
  addDocuments(tree, source, { packages, library });
  for (const script of ['postinst', 'prerm', 'postrm']) {
    tree.write(`DEBIAN/${script}`, ours(source, `deb/${script}`), 0o755);
  }
  tree.finish(controlFile(source), source.epochS);
  return partsOf(tree);
}

function ours({ root }: PackageSource, path: string): string {
  return readFileSync(join(root, 'packaging', path), 'utf8');
}

/** @returns the npm packages of which the program is made. */
async function addProgram(tree: DebTree, source: PackageSource): Promise<NpmPackage[]> {
  const { root, version, commit } = source;
  const { files, bundled, loaded } = await compileProgram(root);
  const manifest = { name, version, license: 'Apache-2.0', private: true, type: 'module' };
  tree.write(`${home}/app/package.json`, json(manifest));
  for (const [file, text] of files) tree.write(`${home}/app/${file}`, text);
  const closure = npmClosure(root, loaded);
  const whole = new Set(closure.map(({ path }) => path));
  const inside = npmPackages(root, bundled).filter(({ path }) => !whole.has(path));
  const copy = (path: string, paths: readonly string[]): void => {
    for (const file of paths) tree.copy(join(root, path, file), `${home}/app/${path}/${file}`);
  };
  for (const { path } of closure) copy(path, filesToShip(join(root, path)));
  for (const { path } of inside) copy(path, licencesOf(join(root, path)));
  tree.write(`${home}/version.json`, json({ version, commit, node: process.versions.node }));
  return [...closure, ...inside].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The addon, beside the program that looks for it. It must be for the runtime that is shipped. */
function addEngine(tree: DebTree, { root }: PackageSource): void {
  const path = join(root, engineBuild, 'build-info.json');
  if (!existsSync(path))
    throw coded('UNAVAILABLE', 'the native engine is not built; run it by ./dev package');
  const built = parseJsonAs(BuildInfo, readFileSync(path, 'utf8'), { what: path });
  if (built.node !== process.versions.node || built.arch !== process.arch) {
    throw coded('UNAVAILABLE', `the native engine is built for Node ${built.node}; run it by ./dev package`);
  }
  for (const file of ['engine.node', 'build-info.json'])
    tree.copy(join(root, engineBuild, file), `${engineHome}/${file}`);
  run('strip', ['--strip-unneeded', join(tree.path, engineHome, 'engine.node')]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** @returns the library that comes with the runtime, where it needs one that Debian does not always have. */
function addRuntime(tree: DebTree, { runtimePath }: PackageSource): string | undefined {
  const node = join(runtimePath, 'bin/node');
  tree.copy(node, `${home}/bin/node`, 0o755);
  tree.write(`${docs}/node-license.gz`, gzip(readFileSync(join(runtimePath, 'LICENSE'))));
  const [, library] = /libatomic\.so\.1 => (\/\S+)/.exec(run('ldd', [node])) ?? [];
  if (library !== undefined) tree.copy(realpathSync(library), `${home}/lib/libatomic.so.1`);
  return library;
}

function addSystemFiles(tree: DebTree, source: PackageSource): void {
  tree.write(`usr/bin/${name}`, ours(source, `deb/${name}.sh`), 0o755);
  tree.write(`usr/lib/systemd/system/${name}.service`, ours(source, `systemd/${name}.service`));
  for (const file of ['appliance.json', 'routes.json']) {
    tree.writeConfig(`etc/nearcast/${file}`, ours(source, `examples/${file}`));
  }
  tree.write(`usr/share/lintian/overrides/${name}`, ours(source, 'deb/lintian-overrides'));
}

function addDocuments(
  tree: DebTree,
  source: PackageSource,
  parts: { packages: readonly NpmPackage[]; library: string | undefined },
): void {
  const { root, version, epochS } = source;
  const date = new Date(epochS * 1000);
  const filled = (path: string, values: Readonly<Record<string, string>>): string =>
    ours(source, path).replaceAll(/@([A-Z]+)@/g, (whole, word: string) => values[word] ?? whole);
  const packages = parts.packages.map(
    ({ path, version: its, license }) => `${path.replace(/^node_modules\//, '')} ${its}: ${license}`,
  );
  const library =
    parts.library === undefined ? '' : filled('deb/copyright-libatomic', { SOURCE: librarySource() });
  const values = {
    YEAR: String(date.getUTCFullYear()),
    NODE: process.versions.node,
    CPU: process.arch,
    LIBRARY: library,
    PACKAGES: packages.join('\n'),
  };
  tree.write(`${docs}/copyright`, filled('deb/copyright', values));
  tree.write(`${docs}/changelog.gz`, gzip(changelog(version, date)));
  tree.write(`${docs}/NEWS.gz`, gzip(readFileSync(join(root, 'CHANGELOG.md'))));
  tree.write(`${docs}/install.md.gz`, gzip(readFileSync(join(root, 'docs/install.md'))));
  const day = date.toISOString().slice(0, 10);
  const page = filled(`deb/${name}.1`, { DATE: day, VERSION: version });
  tree.write(`usr/share/man/man1/${name}.1.gz`, gzip(page));
}

/** Debian's source package of libatomic, with its version. */
function librarySource(): string {
  return run('dpkg-query', ['-W', '-f', '${source:Package} ${source:Version}', 'libatomic1']);
}

function changelog(version: string, date: Date): string {
  const day = date.toUTCString().replace(',', '').split(' ');
  const [weekday = '', ...rest] = day;
  const when = `${weekday}, ${rest.join(' ').replace('GMT', '+0000')}`;
  return `${name} (${version}) stable; urgency=medium\n\n  * What changed is in NEWS.gz.\n\n -- ${maintainer}  ${when}\n`;
}

/** With the best compression and without a time, as Debian wants it. */
function gzip(content: string | Uint8Array): Buffer {
  return gzipSync(content, { level: 9 });
}

function controlFile({ version, architecture }: PackageSource): string {
  return `Package: ${name}
Version: ${version}
Section: net
Priority: optional
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: @SIZE@
Depends: adduser, libc6 (>= 2.34), libgcc-s1 (>= 4.2), libstdc++6 (>= 12)
Recommends: openssl, systemd-timesyncd | time-daemon
Description: CDN appliance that serves video from inside an ISP's network
 Fills its disk with the titles that a Nearcast control plane wants it to
 hold and serves them to players by range requests. Every chunk is verified
 when it arrives, and valid playbacks are served also while the control
 plane cannot be reached.
 .
 The package brings its own runtime and installs without network access.
`;
}

const partNames: readonly (readonly [prefix: string, name: string])[] = [
  [`${home}/bin/`, 'runtime'],
  [`${home}/lib/`, 'runtime'],
  [`${home}/app/node_modules/`, 'npm packages'],
  [`${engineHome}/`, 'native engine'],
  [home, 'program'],
  ['', 'unit, settings, documents'],
];

function partsOf(tree: DebTree): PackagePart[] {
  const parts = new Map<string, { name: string; files: number; sizeBytes: number }>();
  for (const { path, sizeBytes } of tree.files()) {
    const [, part = ''] = partNames.find(([prefix]) => path.startsWith(prefix)) ?? [];
    const { files, sizeBytes: sum } = parts.get(part) ?? { files: 0, sizeBytes: 0 };
    parts.set(part, { name: part, files: files + 1, sizeBytes: sum + sizeBytes });
  }
  return [...parts.values()].sort((a, b) => b.sizeBytes - a.sizeBytes);
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' });
}

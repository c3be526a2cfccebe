import { readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import ts from 'typescript';

import { assert } from '../common/runtime/errors.ts';

/** The JavaScript of a program and what it needs besides. */
export interface Compiled {
  /** Path from the repository's root, ending in .js (or .json) → text. */
  readonly files: ReadonlyMap<string, string>;
  /** Names of the npm packages that these files import. */
  readonly packages: ReadonlySet<string>;
}

/**
 * Compiles a program and everything of ours that it imports, static or not, from the emitted imports on: a file that is
 * only imported for its types is not in it. Settings are those of the given tsconfig; types are checked by `./dev check`.
 *
 * @throws TypeError when a source has a syntax error, or imports what would not be found in the package.
 */
export function compileProgram(root: string, tsconfig: string): Compiled {
  const { options, fileNames } = readSettings(tsconfig);
  const files = new Map<string, string>();
  const packages = new Set<string>();
  const queue = fileNames.map((path) => relative(root, path));
  for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
    const target = emittedName(source);
    if (files.has(target)) continue;
    const text = readFileSync(join(root, source), 'utf8');
    const js = source.endsWith('.json') ? text : transpile(source, text, options);
    files.set(target, js);
    if (source.endsWith('.json')) continue;
    for (const specifier of importsOf(js)) {
      if (specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) queue.push(sourceName(posix.join(dirname(source), specifier)));
      else packages.add(packageName(specifier));
    }
  }
  return { files: new Map([...files].sort(byName)), packages: new Set([...packages].sort()) };
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

function readSettings(tsconfig: string) {
  const file = ts.readJsonConfigFile(tsconfig, (path) => ts.sys.readFile(path));
  const parsed = ts.parseJsonSourceFileConfigFileContent(file, ts.sys, dirname(tsconfig));
  failOn(parsed.errors);
  return parsed;
}

function transpile(source: string, text: string, compilerOptions: ts.CompilerOptions): string {
  const result = ts.transpileModule(text, { fileName: source, compilerOptions, reportDiagnostics: true });
  failOn(result.diagnostics ?? []);
  // Neither is rewritten by the compiler, and Node strips no types in an installed package.
  if (/new URL\(\s*['"][^'"]+\.ts['"]/.test(result.outputText)) {
    throw new TypeError(`${source} names a .ts file by URL, which the package does not have`);
  }
  // The package's command is a script of its own, on the runtime that it brings.
  return result.outputText.replace(/^#!.*\n/, '');
}

function failOn(diagnostics: readonly ts.Diagnostic[]): void {
  if (diagnostics.length === 0) return;
  throw new TypeError(
    ts.formatDiagnostics(diagnostics, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => process.cwd(),
      getNewLine: () => '\n',
    }),
  );
}

/** Every module that a file imports, re-exports or loads by a literal import(). */
function importsOf(js: string): string[] {
  return ts.preProcessFile(js, true, true).importedFiles.map(({ fileName }) => fileName);
}

function emittedName(source: string): string {
  return source.replace(/\.ts$/, '.js');
}

function sourceName(emitted: string): string {
  return emitted.replace(/\.js$/, '.ts');
}

function packageName(specifier: string): string {
  const [name = '', inScope] = specifier.split('/');
  if (!name.startsWith('@')) return name;
  assert(inScope !== undefined, `${specifier} has a scope and no name`);
  return `${name}/${inScope}`;
}

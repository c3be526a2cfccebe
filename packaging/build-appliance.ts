import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Type } from '../common/contract/type.ts';

import { coded, systemCode } from '../common/runtime/errors.ts';
import { parseJsonAs } from '../common/runtime/parse.ts';
import { fillAppliancePackage, type PackagePart, type PackageSource } from './appliance-package.ts';
import { DebTree } from './deb-tree.ts';

/** How to build. */
export interface BuildOptions {
  readonly root: string;
  readonly outPath: string;
  /** `small` takes minutes of a slow machine; `fast` is for tests. */
  readonly compression: 'small' | 'fast';
  readonly say: (line: string) => void;
}

/** What was built. */
export interface BuiltPackage {
  readonly path: string;
  readonly sizeBytes: number;
  readonly parts: readonly PackagePart[];
}

const architectures: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const compressions = { small: ['-Zxz', '-z6'], fast: ['-Zgzip', '-z1'] } as const;
const PackageJson = Type.Object({ version: Type.String() });

/**
 * Builds nearcast-appliance_<version>_<architecture>.deb for this machine's processor, the same bytes from the same commit.
 *
 * @throws UNAVAILABLE when this machine has no dpkg-deb or git, or the runtime is not the pinned one.
 */
export async function buildAppliance({
  root,
  outPath,
  compression,
  say,
}: BuildOptions): Promise<BuiltPackage> {
  const source = readSource(root);
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-package-'));
  try {
    say(`nearcast-appliance ${source.version} for ${source.architecture}, commit ${source.commit}`);
    const tree = new DebTree(join(folder, 'tree'));
    const parts = await fillAppliancePackage(tree, source);
    say(`${parts.reduce((sum, { files }) => sum + files, 0)} files; compressing`);
    const file = `nearcast-appliance_${source.version}_${source.architecture}.deb`;
    mkdirSync(outPath, { recursive: true });
    const path = join(outPath, file);
    const partial = join(outPath, `.${file}.${process.pid}`);
    const how = ['--root-owner-group', ...compressions[compression], '--build', tree.path, partial];
    run('dpkg-deb', how, { SOURCE_DATE_EPOCH: String(source.epochS) });
    renameSync(partial, path);
    return { path, sizeBytes: statSync(path).size, parts };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readSource(root: string): PackageSource {
  const packageJson = join(root, 'package.json');
  const { version } = parseJsonAs(PackageJson, readFileSync(packageJson, 'utf8'), { what: packageJson });
  const architecture = architectures[process.arch];
  if (architecture === undefined) throw coded('UNAVAILABLE', `there is no package for ${process.arch}`);
  const [commit = '', epochS = ''] = run('git', ['-C', root, 'log', '-1', '--format=%H %ct'], {}).split(' ');
  const runtimePath = dirname(dirname(process.execPath));
  const sums = readFileSync(join(root, 'packaging/runtime.sums'), 'utf8');
  // The runtime that builds is the one that is shipped.
  if (!sums.includes(`  node-linux-${process.arch}@${process.versions.node}\n`)) {
    throw coded('UNAVAILABLE', `this runs on Node ${process.versions.node}; run it by ./dev package`);
  }
  return { root, version, commit: commit.slice(0, 12), epochS: Number(epochS), architecture, runtimePath };
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch (cause) {
    const why = systemCode(cause) === 'ENOENT' ? 'is not installed on this machine' : 'failed';
    throw coded('UNAVAILABLE', { detail: `${command} ${why}`, cause });
  }
}

import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { compileProgram } from '../../../packaging/compile.ts';

const root = new URL('../../..', import.meta.url).pathname;
const engine = 'appliance/engine/native/build';

/** Compiles the appliance into a directory, as its package holds it. @returns the path of its program. */
export async function compileAppliance(directory: string): Promise<string> {
  const { files } = compileProgram(root, join(root, 'packaging/tsconfig.appliance.json'));
  for (const [path, text] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  for (const path of ['node_modules', engine]) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await symlink(join(root, path), join(directory, path));
  }
  return join(directory, 'appliance/bin.js');
}

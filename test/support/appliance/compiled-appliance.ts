import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { compileProgram } from '../../../packaging/compile.ts';

const root = new URL('../../..', import.meta.url).pathname;
const engine = 'appliance/engine/native/build';

/** Compiles the appliance into a directory, as its package holds it. @returns the path of its program. */
export async function compileAppliance(directory: string): Promise<string> {
  const { files } = await compileProgram(root);
  await mkdir(join(directory, 'native'), { recursive: true });
  for (const [file, text] of files) await writeFile(join(directory, file), text);
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  await symlink(join(root, engine), join(directory, 'native/build'));
  return join(directory, 'bin.js');
}

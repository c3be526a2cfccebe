// `./dev package`: builds the Debian packages into dist/.
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { exitCodes } from '../common/runtime/exit-codes.ts';
import { exitWith } from '../common/runtime/run-process.ts';
import { buildAppliance } from './build-appliance.ts';

const root = join(import.meta.dirname, '..');
const megabyte = 1_000_000;

await exitWith(async () => {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, 'dist') },
      fast: { type: 'boolean', default: false },
    },
  });
  const startedMs = performance.now();
  const built = await buildAppliance({
    root,
    outPath: values.out,
    compression: values.fast ? 'fast' : 'small',
    say: (line) => {
      console.log(`package: ${line}`);
    },
  });
  const row = (name: string, files: string, sizeBytes: number): string =>
    `  ${name.padEnd(28)}${files.padStart(6)}${(sizeBytes / megabyte).toFixed(1).padStart(9)} MB`;
  console.log(`\n  ${'part'.padEnd(28)} files     size`);
  for (const part of built.parts) console.log(row(part.name, String(part.files), part.sizeBytes));
  const total = (pick: 'files' | 'sizeBytes'): number =>
    built.parts.reduce((sum, part) => sum + part[pick], 0);
  console.log(row('installed', String(total('files')), total('sizeBytes')));
  console.log(row('package', '1', built.sizeBytes));
  console.log(`\n${built.path} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  return exitCodes.ok;
});

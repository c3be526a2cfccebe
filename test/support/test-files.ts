// The process in which tests run: `node test/support/test-files.ts RUN…` runs the files one after the other; `FILE:apart` is a run of its own.
// Nothing of it is inherited by the processes that tests start: those are as they are anywhere.
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';

import { goApart } from './apart-variable.ts';
import { parseRun } from './test-schedule.ts';

const runs = process.argv.splice(2);
// What tap names the folders after that tests are given.
process.argv[1] = resolve(runs[0] ?? '');

// Properties are tried with the same values in each run, so that one that holds today holds tomorrow.
// New values are tried by `./dev fuzz` and `./dev soak`.
fc.configureGlobal({ seed: 20_261_121 });

const lighter = new URL('./error-domain.ts', import.meta.url).href;
const hooks = registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'async-hook-domain' ? { url: lighter, shortCircuit: true } : next(specifier, context),
});
const { default: t } = await import('tap');
hooks.deregister();

for (const run of runs) {
  const { file, isApart } = parseRun(run);
  t.comment(`file: ${run}`);
  if (isApart) goApart();
  await import(pathToFileURL(resolve(file)).href);
}

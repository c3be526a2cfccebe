#!/usr/bin/env node
// The appliance package's program: `nearcast appliance` without anything of the other planes, and `enrol`.
import { exitCodeOf } from '../common/runtime/exit-codes.ts';
import { keepHeapSmall } from '../common/runtime/heap.ts';
import { toCoded } from '../common/runtime/errors.ts';
import packageJson from '../package.json' with { type: 'json' };
import { withFileThreads } from '../common/runtime/file-threads.ts';

const usage = `nearcast-appliance enrol CODE --control-url URL   join a control plane
nearcast-appliance [options]                      serve; the options:

`;

async function main(argv: string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === '--version') {
    process.stdout.write(`nearcast-appliance ${packageJson.version}\n`);
    return 0;
  }
  if (first === 'enrol') {
    const { enrol } = await import('./enrol.ts');
    return enrol(rest, process.env);
  }
  keepHeapSmall();
  Object.assign(process.env, withFileThreads(process.env));
  if (first === '--help') process.stdout.write(usage);
  const { run } = await import('./main.ts');
  return run(argv, process.env);
}

try {
  // A part that never started may hold the process otherwise.
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  const failure = toCoded(error);
  process.stderr.write(`nearcast-appliance: ${failure.code} ${failure.message}\n`);
  process.exit(exitCodeOf(failure));
}

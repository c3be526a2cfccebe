#!/usr/bin/env node
// The only file of the CLI that knows the planes; each is loaded when it is asked for, so that none costs the others' start.
import { exitCodes } from '../common/runtime/exit-codes.ts';
import { withFileThreads } from '../common/runtime/file-threads.ts';
import { keepHeapSmall, runUnder, steadyHeapFlags } from '../common/runtime/heap.ts';
import { exitWith } from '../common/runtime/run-process.ts';

type Run = (argv: string[], env: NodeJS.ProcessEnv) => Promise<number>;

const planes: Record<string, () => Promise<{ run: Run }>> = {
  'control-plane': () => import('../control-plane/main.ts'),
  steering: () => import('../steering/main.ts'),
  appliance: () => import('../appliance/main.ts'),
  encoder: () => import('../encoder/main.ts'),
};

async function main(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [word = '', ...rest] = argv;
  const plane = Object.hasOwn(planes, word) ? planes[word] : undefined;
  // `nearcast appliance --port 80` runs one, `nearcast appliance list` asks about them.
  const isRun = rest[0]?.startsWith('-') ?? true;
  // A plane that cannot start says why on stderr and ends with the code of that.
  if (plane !== undefined && isRun) {
    if (word === 'steering') runUnder(steadyHeapFlags, env);
    keepHeapSmall();
    if (word === 'appliance') Object.assign(env, withFileThreads(env));
    return await exitWith(async () => (await plane()).run(rest, env));
  }
  const { runCommand } = await import('./program.ts');
  return await runCommand(argv, env, {
    cacheLab: () => import('../appliance/lab.ts'),
    recommendLab: () => import('../control-plane/lab.ts'),
    restoreTool: () => import('../control-plane/restore.ts'),
    steeringLab: () => import('../steering/lab.ts'),
  });
}

// A reader that goes away (`nearcast title list | head`) ends the program like any other of the shell's.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed);
});
process.exitCode = await main(process.argv.slice(2), process.env);

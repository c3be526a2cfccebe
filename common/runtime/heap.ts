import { setFlagsFromString } from 'node:v8';

// Loading a program leaves much short-lived rubbish; V8 would meet it by doubling its young generation again and again and
// keep that memory for good. `--max-semi-space-size` counts only on node's command line; the growth factor counts here too.

/** Keeps V8's young generation at its first size while the program loads: some 25 MB less for an idle process. */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Lets the young generation grow with the load from now on, as is V8's default: once the program runs, and where very much comes that
 * stays, which a small one would copy again and again.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}

/**
 * V8's flags for a process that answers at all times. What it makes for an answer is gone with it, so a young generation of a few MiB is collected in
 * a fraction of a millisecond, again and again; one that may grow comes to tens of MiB even under `keepHeapSmall` (pages that are pinned are added to it),
 * and each collection then takes 5 ms and more. And whoever collects waits for no other thread: on a machine that is busy
 * that thread's turn comes later than the work would have been done.
 */
export const steadyHeapFlags: readonly string[] = ['--max-semi-space-size=4', '--no-parallel-scavenge'];

/**
 * Runs this process anew under V8 flags that count only on the command line: in its place, with its id. Does nothing where it runs under
 * them already, or where whoever started it has chosen a size itself. Where the system does not let it (another platform, Node's permissions, a
 * node that was replaced meanwhile) it goes on as it is, with a warning: what is lost are milliseconds.
 */
export function runUnder(flags: readonly string[], env: NodeJS.ProcessEnv): void {
  const { execArgv, execPath, argv } = process;
  const chosen = [...execArgv, env['NODE_OPTIONS'] ?? ''].join(' ');
  // V8 takes either form of its names.
  if (process.execve === undefined || chosen.replaceAll('_', '-').includes('semi-space-size')) return;
  try {
    process.execve(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], env);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(`it runs without ${flags.join(' ')} (${why}); give node these flags to have them`);
  }
}
